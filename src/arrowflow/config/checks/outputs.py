"""Names, folders and limits: what the job writes and how much it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from arrowflow.config import build, settings
from arrowflow.config.checks.common import writable, written_folders
from arrowflow.config.document import Document
from arrowflow.config.durations import duration_text
from arrowflow.config.problem import Path, Problem, dotted, meant, shown
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError
from arrowflow.stores.gcs.address import is_address, normal, parse
from arrowflow.types import check_name

_KINDS = ("parquet", "preview")
_ONLY_TABLES = ("partition_by", "time_column", "max_partitions_per_epoch", "seal")


def _names(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    topics = [name for name in sections.topics if name not in ("late", "dead_letter")]
    named: list[tuple[Path, str]] = [(("sink", name), name) for name in (*sections.sink, *topics)]
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
        elif name == "kafka" and sink.kind is None:
            yield document.problem(("sink", name, "topic"), "is missing: the topic that takes the rows", at_key=True)
        elif sink.kind is None and name not in _KINDS:
            yield document.problem(
                ("sink", name), f'say its kind: add kind = "parquet"{meant(name, _KINDS)}', at_key=True
            )


def _unused(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    window = sections.window
    if not sections.whole("window"):
        return
    if window is None and sections.aggregate is not None:
        yield document.problem(("aggregate",), "needs a [window]: say over which time rows are gathered", at_key=True)
    if window is None and sections.has("late"):
        yield document.problem(("late",), "there are no late rows without a [window]: remove the section", at_key=True)
    if window is not None and window.late == "drop" and sections.has("late"):
        yield document.problem(
            ("late",),
            'nothing would be written here: window.late is "drop"; write late = "side", or remove the section',
            at_key=True,
        )
    if window is not None and window.late == "side" and not sections.has("late") and sections.whole("late"):
        yield document.problem(("window", "late"), '"side" needs a place: write [late] with `path`')


def _previews(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    """Interim results, and the sinks that can take them."""
    emit, window = sections.emit, sections.window
    previews = [name for name, sink in sections.sink.items() if build.is_preview(name, sink)]
    for name in previews:
        for key in _ONLY_TABLES:
            if key in sections.sink[name].model_fields_set:
                yield document.problem(("sink", name, key), "belongs to a table; a preview is one file", at_key=True)
    if previews and len(previews) == len(sections.sink) and not set(sections.topics) - {"late", "dead_letter"}:
        yield document.problem(
            ("sink", previews[0]), "keeps no results: add a table for them, such as [sink.parquet]", at_key=True
        )
    if window is None and sections.whole("window") and (emit is not None or previews):
        place: Path = ("emit",) if emit is not None else ("sink", previews[0])
        yield document.problem(place, "is about open windows, and there is no [window]: remove it", at_key=True)
    elif sections.whole("emit", "sink"):
        updates = [name for name, topic in sections.topics.items() if topic.mode == "update"]
        yield from _when_and_where(emit, previews, updates, document)


def _when_and_where(
    emit: settings.EmitSection | None, previews: list[str], updates: list[str], document: Document
) -> Iterator[Problem]:
    wanted = emit is not None and (emit.mode == "on_update" or emit.early is not None)
    if emit is not None and emit.mode == "on_update" and emit.early is not None:
        yield document.problem(
            ("emit", "early"),
            'says "at most so often", and mode = "on_update" says "always": keep one of them',
            at_key=True,
        )
    if wanted and not previews and not updates:
        yield document.problem(
            ("emit",),
            "gives interim results, which change with every record, and a Parquet table of results keeps each row it is given: "
            'add [sink.open] with kind = "preview" and a path, one file that always holds the windows open now, or a topic with mode = "update"',
            at_key=True,
        )
    if updates and not wanted:
        yield document.problem(
            ("sink", updates[0], "mode"),
            'would never give an update: say when in [emit], with mode = "on_update" or early = "5m"',
        )
    if previews and not wanted and (emit is None or emit.early is None):
        yield document.problem(
            ("sink", previews[0]),
            'would never be written: say when in [emit], with mode = "on_update" or early = "5m"',
            at_key=True,
        )


def _paths(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    folders: list[tuple[Path, str]] = []
    for where, path in written_folders(sections):
        faults = list(writable(document, where, path))
        yield from faults
        if not faults:
            folders.append((where, normal(path) if is_address(path) else os.path.realpath(build.absolute(path))))
    yield from _one_store(document, folders)
    for index, (where, folder) in enumerate(folders):
        for other, above in folders[:index]:
            yield from _apart(document, where, folder, other, above)


def _one_store(document: Document, folders: list[tuple[Path, str]]) -> Iterator[Problem]:
    """Complain of a folder in another store than the records, which come last: files move within one store only."""
    if not folders or folders[-1][0] != ("checkpoint", "path"):
        return
    home = _store_of(folders[-1][1])
    for where, folder in folders[:-1]:
        if _store_of(folder) != home:
            yield document.problem(
                where,
                f"{shown(folder)} is {_said(_store_of(folder))}, and checkpoint.path {_said(home)}: a file becomes visible by a move, and moves within one place only; put both in one",
            )


def _store_of(folder: str) -> str | None:
    return parse(folder).bucket if is_address(folder) else None


def _said(bucket: str | None) -> str:
    return "on the local disk" if bucket is None else f"in the bucket {bucket}"


def _apart(document: Document, where: Path, folder: str, other: Path, above: str) -> Iterator[Problem]:
    if folder == above:
        yield document.problem(where, f"{shown(folder)} is the folder of {dotted(other)} already; each needs its own")
        return
    one, two = folder.rstrip("/") + "/", above.rstrip("/") + "/"
    if one.startswith(two) or two.startswith(one):
        inner, outer = (where, other) if len(folder) > len(above) else (other, where)
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
    for key in ("max_state_bytes", "max_epoch_bytes", "max_slice_bytes"):
        share = getattr(limits, key)
        if limits.memory is not None and share is not None and share > limits.memory:
            yield document.problem(
                ("limits", key), f"is more than limits.memory ({limits.memory:,}), of which it is a share"
            )
    for name, sink in sections.sink.items():
        if checkpoint is not None and sink.seal is not None and sink.seal < 2 * checkpoint.cadence:
            yield document.problem(
                ("sink", name, "seal"),
                f"is {duration_text(sink.seal)}, and an epoch is cut every {duration_text(checkpoint.cadence)}: there would be nothing "
                'to put together; write a longer one, such as "1d"',
            )
    own = limits.shares
    for kind, slice_, epoch in (
        ("rows", limits.max_slice_rows, limits.max_epoch_rows),
        ("bytes", own.slice, own.epochs),
    ):
        if slice_ > epoch:
            yield document.problem(
                ("limits", f"max_slice_{kind}"), f"is more than max_epoch_{kind}, and an epoch is made of slices"
            )
    if limits.max_state_bytes is not None and sections.window is None and sections.whole("window"):
        where = ("limits", "max_state_bytes")
        yield document.problem(where, "is about open windows, and there is no [window]: remove it", at_key=True)


CHECKS = (_names, _unused, _previews, _paths, _numbers)
