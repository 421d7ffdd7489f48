"""Which columns exist where: after decoding, and in the result. Names and Arrow types only, no rows."""

from __future__ import annotations

import re

import pyarrow as pa

from arrowflow.config.settings import WindowSection

_TIME = pa.timestamp("us", "UTC")
RESERVED = {"_topic": pa.string(), "_partition": pa.int32(), "_offset": pa.int64(), "_timestamp": _TIME}
"""Columns every row brings along: where it stood, and the record's own time."""

DERIVED = ("date", "hour")
"""Folder levels a sink makes from a time."""

MAX_NAME = 128
_NAME = re.compile(r"[^\W\d][\w .\-]*")


def name_fault(name: str) -> str | None:
    """Say why `name` cannot be a column, or None. What passes is safe in SQL quotes, paths and headers."""
    if name in RESERVED or name.startswith("__af_"):
        return "is a name arrowflow uses itself; rename the column where it is made"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters; a column name may have {MAX_NAME}"
    if not _NAME.fullmatch(name):
        return "is no column name: use letters, digits, `_`, `-`, `.` and spaces, and begin with a letter or `_`"
    return None


def with_reserved(schema: pa.Schema) -> pa.Schema:
    """Return `schema` with the reserved columns it does not have, last."""
    missing = [(name, kind) for name, kind in RESERVED.items() if name not in schema.names]
    return pa.schema([*((field.name, field.type) for field in schema), *missing])


def window_columns(window: WindowSection) -> dict[str, pa.DataType]:
    """Return the columns a window adds to its groups and aggregates."""
    columns: dict[str, pa.DataType] = {"window_start": _TIME, "window_end": _TIME}
    if window.type == "calendar":
        columns |= {"shift": pa.string(), "production_day": pa.date32()}
    return columns


def result(window: WindowSection | None, rows: pa.Schema, aggregates: dict[str, str | None]) -> dict[str, pa.DataType]:
    """Return the columns of a result row.

    Parameters
    ----------
    window : WindowSection or None
        None passes rows through.
    rows : Schema
        The columns after the transforms.
    aggregates : mapping
        Name of each aggregate to the column it reads, None for a plain count.
    """
    if window is None:
        return {field.name: field.type for field in rows}
    groups = {name: rows.field(name).type for name in window.group_by if name in rows.names}
    results = {
        name: rows.field(column).type if column in rows.names else pa.int64() for name, column in aggregates.items()
    }
    return {**groups, **window_columns(window), **results}
