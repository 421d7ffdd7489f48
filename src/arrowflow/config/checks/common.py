"""What several checks ask of the sections; yields problems, changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from arrowflow.config import build, columns, settings
from arrowflow.config.document import Document
from arrowflow.config.durations import duration_text
from arrowflow.config.problem import Path, Problem, listed, meant, printable, shown
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError
from arrowflow.stores.gcs.address import client_missing, is_address, parse

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def one_source(sections: Sections) -> tuple[Path, settings.KafkaSection | settings.ReplaySection] | None:
    """Return the one source and its path, if there is just one."""
    source = sections.source
    if source is None or (source.kafka is None) == (source.replay is None):
        return None
    if source.kafka is not None:
        return ("source", "kafka"), source.kafka
    return (("source", "replay"), source.replay) if source.replay is not None else None


def decoded(source: settings.KafkaSection | settings.ReplaySection) -> pa.Schema | None:
    """Return the columns of a decoded row, or None where the schema is at fault, which another check says."""
    if source.format != "raw" and (not source.columns or any(columns.name_fault(name) for name in source.columns)):
        return None
    try:
        return build.build_decoder(source).build().schema
    except ConfigError:
        return None


def no_column(name: str, names: list[str]) -> str:
    """Say that `name` is no column where only `names` are."""
    return f"there is no column {shown(name)} here, only {listed(names)}{meant(name, names)}"


def twice(document: Document, path: Path, names: list[str]) -> Iterator[Problem]:
    """Complain of names listed twice."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield document.problem((*path, index), f"{shown(name)} is there twice")


def local(document: Document, where: Path, path: str) -> Iterator[Problem]:
    """Complain of a path that is not on the local disk."""
    scheme = SCHEME.match(path)
    if scheme is not None and scheme[1].lower() == "file":
        yield document.problem(where, f"write a plain path, not {shown(path)}")
    elif scheme is not None:
        yield document.problem(
            where,
            f"{shown(path)}: {printable(scheme[1])}:// cannot be read here, only files on the local disk: copy them to a folder first",
        )
    elif "\0" in path:
        yield document.problem(where, f"{shown(path)} is no path")


def writable(document: Document, where: Path, path: str) -> Iterator[Problem]:
    """Complain of a path that is neither a folder of this machine nor one in a bucket."""
    scheme = SCHEME.match(path)
    if scheme is None or scheme[1].lower() == "file":
        yield from local(document, where, path)
    elif not is_address(path):
        yield document.problem(
            where,
            f"{shown(path)}: {printable(scheme[1])}:// is not in this version; write a folder such as ./lake/… or gs://bucket/…",
        )
    else:
        try:
            parse(path)
        except ConfigError as error:
            yield document.problem(where, shown(path) + str(error).removeprefix(path))
        if (missing := client_missing()) is not None:
            yield document.problem(where, f"{shown(path)}: {missing}")


def written_folders(sections: Sections) -> list[tuple[Path, str]]:
    """Return every folder the job writes, table roots first."""
    folders: list[tuple[Path, str]] = [(("sink", name, "path"), sink.path) for name, sink in sections.sink.items()]
    folders += [
        (("sink", name, "seal"), f"{sink.path.rstrip('/')}__sealed")
        for name, sink in sections.sink.items()
        if sink.seal is not None
    ]
    for name, section in (
        ("late", sections.late),
        ("dead_letter", sections.dead_letter),
        ("checkpoint", sections.checkpoint),
    ):
        if section is not None:
            folders.append(((name, "path"), section.path))
    return folders


def in_durations(sentence: str) -> str:
    """Write the microseconds of the window core as the file writes them."""
    return re.sub(r"(\d+) µs", lambda found: duration_text(int(found[1])), sentence)
