"""Names, folders and limits: what the job writes and how much it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from arrowflow.config import build
from arrowflow.config.checks.common import local, written_folders
from arrowflow.config.document import Document
from arrowflow.config.problem import Path, Problem, dotted, meant, shown
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError
from arrowflow.types import check_name


def _names(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    named: list[tuple[Path, str]] = [(("sink", name), name) for name in sections.sink]
    named += [(("calendars", name), name) for name in sections.calendars]
    if sections.pipeline is not None:
        named.append((("pipeline", "name"), sections.pipeline.name))
    for path, name in named:
        try:
            check_name(str(path[0]), name)
        except ConfigError:
            yield document.problem(
                path, f"{shown(name)} is no name: use ASCII letters, digits, `_` and `-`, at most 100"
            )
    for name, sink in sections.sink.items():
        if name in ("late", "dead_letter"):
            yield document.problem(("sink", name), f"is the name of the section [{name}]; choose another", at_key=True)
        elif sink.kind is None and name != "parquet":
            yield document.problem(
                ("sink", name), f'say its kind: add kind = "parquet"{meant(name, ["parquet"])}', at_key=True
            )


def _unused(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    window = sections.window
    if not sections.whole("window"):
        return
    if window is None and sections.aggregate is not None:
        yield document.problem(("aggregate",), "needs a [window]: say over which time rows are gathered", at_key=True)
    if window is None and sections.late is not None:
        yield document.problem(("late",), "there are no late rows without a [window]: remove the section", at_key=True)
    if window is not None and window.late == "drop" and sections.late is not None:
        yield document.problem(
            ("late",),
            'nothing would be written here: window.late is "drop"; write late = "side", or remove the section',
            at_key=True,
        )
    if window is not None and window.late == "side" and sections.late is None and sections.whole("late"):
        yield document.problem(("window", "late"), '"side" needs a place: write [late] with `path`')


def _paths(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    folders: list[tuple[Path, str]] = []
    for where, path in written_folders(sections):
        faults = list(local(document, where, path))
        yield from faults
        if not faults:
            folders.append((where, os.path.realpath(build.absolute(path))))
    for index, (where, folder) in enumerate(folders):
        for other, above in folders[:index]:
            yield from _apart(document, where, folder, other, above)


def _apart(document: Document, where: Path, folder: str, other: Path, above: str) -> Iterator[Problem]:
    if folder == above:
        yield document.problem(where, f"{shown(folder)} is the folder of {dotted(other)} already; each needs its own")
        return
    common = os.path.commonpath([folder, above])
    if common in (folder, above):
        inner, outer = (where, other) if common == above else (other, where)
        yield document.problem(
            where,
            f"{dotted(inner)} is inside {dotted(outer)}: a table's folder holds nothing but its committed files, and readers take in all of it; put the two side by side",
        )


def _numbers(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    checkpoint, limits = sections.checkpoint, sections.limits
    if checkpoint is not None:
        for key in ("cadence", "discover_every"):
            if getattr(checkpoint, key) < 1_000:
                yield document.problem(("checkpoint", key), 'must be at least "1ms"')
    for kind in ("rows", "bytes"):
        if getattr(limits, f"max_slice_{kind}") > getattr(limits, f"max_epoch_{kind}"):
            yield document.problem(
                ("limits", f"max_slice_{kind}"), f"is more than max_epoch_{kind}, and an epoch is made of slices"
            )


CHECKS = (_names, _unused, _paths, _numbers)
