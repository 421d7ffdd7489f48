"""The way of the columns: from the messages through transforms and windows to the folders of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from arrowflow.config import build, columns, settings
from arrowflow.config.aggregates import parse_aggregate
from arrowflow.config.checks import topics
from arrowflow.config.checks.common import decoded, in_durations, no_column, one_source, twice
from arrowflow.config.document import Document
from arrowflow.config.problem import Path, Problem, listed, meant, shown
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError

if TYPE_CHECKING:
    from arrowflow.windows.spec import Roster


def _transforms(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    for index, step in enumerate(sections.transform):
        path: Path = ("transform", index)
        if len(_kinds(step)) != 1:
            sentence = f"a step does one thing: give it filter, derive or select (this one has {listed(_kinds(step))})"
            yield document.problem(path, sentence, at_key=True)
        if step.reason is not None and step.filter is None:
            yield document.problem((*path, "reason"), "belongs to a filter", at_key=True)
        yield from twice(document, (*path, "select"), step.select or [])
        for name in step.derive or {}:
            if (fault := columns.name_fault(name)) is not None:
                yield document.problem((*path, "derive", name), fault, at_key=True)


def _kinds(step: settings.TransformSection) -> list[str]:
    return [key for key in ("filter", "derive", "select") if getattr(step, key) is not None]


def _flow(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    """Follow the columns from the messages to the folders, as far as they can be followed."""
    found = one_source(sections)
    if found is None or not sections.whole("transform", "window", "aggregate", "calendars"):
        return
    rows = decoded(found[1])
    for index, step in enumerate(sections.transform):
        if rows is None or len(_kinds(step)) != 1:
            return
        try:
            rows = build.build_transform(step).output_schema(rows)
        except ConfigError as error:
            yield document.problem(("transform", index, _kinds(step)[0]), str(error))
            return
    if rows is None:
        return
    faults = [*_groups(sections, rows, document), *_aggregates(sections, rows, document)]
    yield from faults
    if not faults:
        yield from _result(sections, rows, document)


def _groups(sections: Sections, rows: pa.Schema, document: Document) -> Iterator[Problem]:
    for index, name in enumerate(() if sections.window is None else sections.window.group_by):
        if name not in rows.names:
            yield document.problem(("window", "group_by", index), no_column(name, rows.names))


def _aggregates(sections: Sections, rows: pa.Schema, document: Document) -> Iterator[Problem]:
    if sections.window is None:
        return
    for name, text in (sections.aggregate or {}).items():
        here: Path = ("aggregate", name)
        if (fault := columns.name_fault(name)) is not None:
            yield document.problem(here, fault, at_key=True)
        try:
            call = parse_aggregate(text)
        except ValueError as error:
            yield document.problem(here, str(error))
            continue
        if call.column is not None and call.column not in rows.names:
            yield document.problem(here, no_column(call.column, rows.names))


def _result(sections: Sections, rows: pa.Schema, document: Document) -> Iterator[Problem]:
    """Ask the operator itself about types and names, one aggregate at a time, then look at the folders."""
    if not _window_is_whole(sections):
        return
    try:
        taken = build.output_schema(sections, rows, {}).names
    except ConfigError as error:
        yield document.problem(("window", "group_by"), str(error))
        return
    faults = []
    for name, text in (sections.aggregate or {}).items():
        try:
            build.output_schema(sections, rows, {name: text})
        except ConfigError as error:
            faults.append(document.problem(("aggregate", name), str(error), at_key=name in taken))
    yield from faults
    if not faults:
        yield from _roster(sections, rows, document)


def _roster(sections: Sections, rows: pa.Schema, document: Document) -> Iterator[Problem]:
    """Read the roster, ask the operator about it, then look at the folders of all there will be."""
    roster = None
    if sections.completeness is not None and _may_have_roster(sections):
        taken = list(_taken(sections, document))
        yield from taken
        if taken:
            return
        try:
            roster = build.build_roster(sections)
            build.output_schema(sections, rows, {}, roster)
        except ConfigError as error:
            sentence = in_durations(str(error)).removeprefix("roster: ")
            key = "per" if sentence.startswith("per ") else "max_silence" if "max_silence" in sentence else "roster"
            yield document.problem(("completeness", key), sentence)
            return
    result = build.output_schema(sections, rows, sections.aggregate or {}, roster)
    yield from _folders(sections, result, document)
    yield from topics.keys(sections, result, rows, document)
    if roster is not None:
        yield from _keys_in_folders(sections, roster, document)


def _keys_in_folders(sections: Sections, roster: Roster, document: Document) -> Iterator[Problem]:
    """Complain of expected keys that no folder can be named by: their rows could never be written."""
    for name, sink in sections.sink.items():
        refused = () if build.is_preview(name, sink) else build.build_table(sink, sections).key_refusals(roster.keys)
        if refused:
            sentence = f"key {refused[0].row + 1} cannot be in a folder of [sink.{name}]: {refused[0].detail}"
            yield document.problem(("completeness", "roster"), sentence)


def _may_have_roster(sections: Sections) -> bool:
    """Whether another check has nothing to say about the place of the roster."""
    window, event = sections.window, sections.event_time
    placed = window is not None and window.type not in ("session", "sliding") and window.late != "correct"
    per = [] if sections.completeness is None else sections.completeness.per or []
    return placed and (event is None or event.scope == "pipeline") and len(set(per)) == len(per)


def _taken(sections: Sections, document: Document) -> Iterator[Problem]:
    """Complain of columns that have the name of one a roster adds."""
    from arrowflow.windows.roster import COMPLETENESS

    added = [each.name for each in COMPLETENESS]
    groups = [] if sections.window is None else sections.window.group_by
    for index, name in enumerate(groups):
        if name in added:
            yield document.problem(
                ("window", "group_by", index),
                f"{shown(name)} is a column that [completeness] adds; derive another name",
            )
    for name in sections.aggregate or {}:
        if name in added:
            yield document.problem(
                ("aggregate", name), "is a column that [completeness] adds; choose another", at_key=True
            )


def _window_is_whole(sections: Sections) -> bool:
    """Whether another check has nothing to say about the window, so that it can be built."""
    window = sections.window
    if window is None:
        return True
    if sections.event_time is not None and sections.event_time.scope == "partition" and not window.group_by:
        return False
    if window.type != "calendar":
        try:
            build.build_shape(window)
        except ConfigError:
            return False
        return True
    calendar = sections.calendars.get(window.calendar or "")
    if calendar is None or window.unit is None or calendar.key not in window.group_by:
        return False
    try:
        build.build_calendar(calendar).for_unit(window.unit, week_starts=window.week_starts)
    except ConfigError:
        return False
    return True


def _folders(sections: Sections, result: pa.Schema, document: Document) -> Iterator[Problem]:
    for name, sink in sections.sink.items():
        if build.is_preview(name, sink):
            continue
        path: Path = ("sink", name)
        faults = [
            *twice(document, (*path, "partition_by"), sink.partition_by),
            *_levels(name, sink, sections, result, document),
        ]
        derived = [column for column in sink.partition_by if column in columns.DERIVED and column not in result.names]
        if sink.time_column is not None and not derived:
            faults.append(
                document.problem(
                    (*path, "time_column"), "has no meaning unless `partition_by` has `date` or `hour`", at_key=True
                )
            )
        elif derived and (column := build.time_column(sink, sections)) not in result.names:
            faults.append(
                document.problem(
                    (*path, "time_column"), f"{no_column(column, result.names)}; {listed(derived)} derive from it"
                )
            )
        yield from faults
        if not faults:
            try:
                build.check_folders(sink, sections, result)
            except ConfigError as error:
                yield document.problem((*path, "partition_by"), str(error))
            yield from _moving(path, sink, sections, result, document)


def _moving(
    path: Path, sink: settings.SinkSection, sections: Sections, result: pa.Schema, document: Document
) -> Iterator[Problem]:
    """Complain of folders that a correction would move a row out of."""
    window = sections.window
    if window is None or window.late != "correct":
        return
    identity = build.build_window(window, sections, {}).identity
    moving = build.build_table(sink, sections).placed_by(result) - set(identity)
    if moving:
        sentence = (
            f"a correction may change {listed(sorted(moving))}, and the row would have to move to another folder: with "
            f'late = "correct" partition by what names a window, {listed(identity)} or a derived date or hour'
        )
        yield document.problem((*path, "partition_by"), sentence)


def _levels(
    name: str, sink: settings.SinkSection, sections: Sections, result: pa.Schema, document: Document
) -> Iterator[Problem]:
    known = [*result.names, *columns.DERIVED]
    for index, column in enumerate(sink.partition_by):
        if column not in known:
            remedy = "" if sections.window is None else "; to split files by it, add it to window.group_by"
            sentence = f"there is no column {shown(column)} in the result, only {listed(result.names)} and the derived {listed(columns.DERIVED)}{meant(column, known)}{remedy}"
            yield document.problem(("sink", name, "partition_by", index), sentence)


CHECKS = (_transforms, _flow)
