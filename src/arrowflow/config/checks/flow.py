"""The way of the columns: from the messages through transforms and windows to the folders of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from arrowflow.config import build, columns, settings
from arrowflow.config.aggregates import parse_aggregate, type_fault
from arrowflow.config.checks.common import decoded, no_column, one_source, twice
from arrowflow.config.document import Document
from arrowflow.config.problem import Path, Problem, listed, meant, shown
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError


def _transforms(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    for index, step in enumerate(sections.transform):
        kinds = [key for key in ("filter", "derive", "select") if getattr(step, key) is not None]
        if len(kinds) != 1:
            yield document.problem(
                ("transform", index),
                f"a step does one thing: give it filter, derive or select (this one has {listed(kinds)})",
                at_key=True,
            )
        if step.reason is not None and step.filter is None:
            yield document.problem(("transform", index, "reason"), "belongs to a filter", at_key=True)
        yield from twice(document, ("transform", index, "select"), step.select or [])
        for name in step.derive or {}:
            if (fault := columns.name_fault(name)) is not None:
                yield document.problem(("transform", index, "derive", name), fault, at_key=True)


def _flow(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    """Follow the columns from the messages to the folders, as far as they can be followed."""
    found = one_source(sections)
    if found is None or not sections.whole("transform", "window", "aggregate"):
        return
    rows = decoded(found[1])
    if rows is None:
        return
    for index, step in enumerate(sections.transform):
        if sum(part is not None for part in (step.filter, step.derive, step.select)) != 1:
            return
        try:
            rows = columns.with_reserved(build.build_transform(step).output_schema(rows))
        except ConfigError as error:
            kind = next(key for key in ("filter", "derive", "select") if getattr(step, key) is not None)
            yield document.problem(("transform", index, kind), str(error))
            return
    calls: dict[str, str | None] = {}
    if sections.window is not None:
        yield from _groups(sections.window, rows, document)
        yield from _aggregates(sections, rows, document, calls)
    yield from _partitions(sections, columns.result(sections.window, rows, calls), document)


def _groups(window: settings.WindowSection, rows: pa.Schema, document: Document) -> Iterator[Problem]:
    for index, name in enumerate(window.group_by):
        if name not in rows.names:
            yield document.problem(("window", "group_by", index), no_column(name, rows.names))
        elif pa.types.is_floating(rows.field(name).type):
            yield document.problem(
                ("window", "group_by", index),
                f"{shown(name)} is float64; rows are grouped by text, whole numbers, bools or times",
            )


def _aggregates(
    sections: Sections, rows: pa.Schema, document: Document, calls: dict[str, str | None]
) -> Iterator[Problem]:
    window = sections.window
    taken = {} if window is None else {**dict.fromkeys(window.group_by), **columns.window_columns(window)}
    for name, text in (sections.aggregate or {}).items():
        here: Path = ("aggregate", name)
        if (fault := columns.name_fault(name)) is not None:
            yield document.problem(here, fault, at_key=True)
        elif name in taken:
            yield document.problem(
                here, "is the name of a column the window gives already; choose another", at_key=True
            )
        try:
            call = parse_aggregate(text)
        except ValueError as error:
            yield document.problem(here, str(error))
            continue
        calls[name] = call.column
        if call.column is not None and call.column not in rows.names:
            yield document.problem(here, no_column(call.column, rows.names))
        elif call.column is not None and (fault := type_fault(call, rows.field(call.column).type)) is not None:
            yield document.problem(here, fault)


def _partitions(sections: Sections, result: Mapping[str, pa.DataType], document: Document) -> Iterator[Problem]:
    for name, sink in sections.sink.items():
        yield from twice(document, ("sink", name, "partition_by"), sink.partition_by)
        for index, column in enumerate(sink.partition_by):
            here: Path = ("sink", name, "partition_by", index)
            if column not in result and column not in columns.DERIVED:
                known = [*result, *columns.DERIVED]
                hint = "" if sections.window is None else "; add it to window.group_by if files are to be split by it"
                yield document.problem(
                    here,
                    f"there is no column {shown(column)} in the result, only {listed(result)} and the derived {listed(columns.DERIVED)}{meant(column, known)}{hint}",
                )
            elif column in result and pa.types.is_floating(result[column]):
                yield document.problem(
                    here,
                    f"{shown(column)} is {result[column]}; folders are made of text, whole numbers, bools, dates or times",
                )
        yield from _time_column(name, sink, sections, result, document)


def _time_column(
    name: str, sink: settings.SinkSection, sections: Sections, result: Mapping[str, pa.DataType], document: Document
) -> Iterator[Problem]:
    derived = [column for column in sink.partition_by if column in columns.DERIVED and column not in result]
    column = build.time_column(sink, sections)
    here: Path = ("sink", name, "time_column")
    if sink.time_column is not None and not derived:
        yield document.problem(here, "has no meaning unless `partition_by` has `date` or `hour`", at_key=True)
    elif derived and column not in result:
        yield document.problem(
            here,
            f"there is no column {shown(column)} in the result to derive {listed(derived)} from, only {listed(result)}{meant(column, result)}",
        )
    elif derived and not pa.types.is_timestamp(result[column]):
        yield document.problem(here, f"{shown(column)} is {result[column]}, and {listed(derived)} derive from a time")


CHECKS = (_transforms, _flow)
