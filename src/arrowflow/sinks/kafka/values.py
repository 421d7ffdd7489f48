"""Arrow columns as JSON, one document per row, and as keys of records. Exact, or refused when planned; pure.

What our own JSON source reads back with the same column types is the same row: docs/kafka-output.md has the table.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from arrowflow.errors import ConfigError

_OWN = "__af_"
"""Columns whose names begin like this say how a row came about: they go into headers."""
_JSON = msgspec.json.Encoder()
_Column = list[object]


def value_names(schema: pa.Schema) -> list[str]:
    """The columns of `schema` that are part of a value."""
    return [name for name in schema.names if not name.startswith(_OWN)]


def check_types(schema: pa.Schema, sink: str) -> None:
    """Raise `ConfigError` for a column that has no form in JSON."""
    for name in value_names(schema):
        if _unwritable(schema.field(name).type):
            raise ConfigError(
                f"sink {sink!r}: column {name!r} has type {schema.field(name).type}, which has no form in JSON; leave it out "
                "with a select, or derive a column of another type from it"
            )


def json_values(table: pa.Table) -> list[bytes]:
    """Return each row as one JSON object, names in the order of the columns."""
    names = value_names(table.schema)
    columns = [_plain(table.column(name)) for name in names]
    return [_JSON.encode(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def keys(table: pa.Table, names: Sequence[str]) -> list[bytes | None]:
    """Return the key of each row.

    One column: text as it is, anything else as in JSON without quotes; a null is no key. Several: a JSON object.
    """
    if not names:
        return [None] * table.num_rows
    columns = [_plain(table.column(name)) for name in names]
    if len(names) > 1:
        return [_JSON.encode(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    return [_lone_key(value) for value in columns[0]]


def _lone_key(value: object) -> bytes | None:
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else _JSON.encode(value)


def _unwritable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _unwritable(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_unwritable(field.type) for field in kind.fields)
    if _is_list(kind):
        return _unwritable(_item_type(kind))
    return not (
        pa.types.is_null(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or _is_text(kind)
        or _is_bytes(kind)
        or pa.types.is_date(kind)
        or pa.types.is_time(kind)
        or pa.types.is_timestamp(kind)
    )


def _plain(column: pa.ChunkedArray[Any]) -> _Column:
    """A column as values that the encoder writes exactly."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz))  # no clock here counts nanoseconds
    converted = _converter(kind)
    values: _Column = column.to_pylist()
    if converted is None:
        return values
    return [None if value is None else converted(value) for value in values]


def _converter(kind: pa.DataType) -> Callable[[object], object] | None:
    """How one value of a type is told to the encoder; None where it is as Arrow gives it."""
    if pa.types.is_dictionary(kind):
        return _converter(kind.value_type)
    if pa.types.is_floating(kind):
        return _number
    if pa.types.is_decimal(kind):
        return _digits
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_date(kind):
        return _moment
    if _is_bytes(kind):
        return _base64
    if _is_list(kind):
        return _items(_converter(_item_type(kind)))
    if pa.types.is_struct(kind):
        return _fields({field.name: _converter(field.type) for field in kind.fields})
    return None


def _number(value: object) -> object:
    """A float; the three that JSON has no number for are told by name."""
    assert isinstance(value, float)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _digits(value: object) -> object:
    """A decimal as a number with all its digits, never through a float."""
    assert isinstance(value, Decimal)
    return msgspec.Raw(format(value, "f").encode())


def _moment(value: object) -> object:
    """ISO 8601; a time of day in UTC ends with Z, and has six digits of a second or none."""
    assert isinstance(value, (datetime, date, time))
    return value.isoformat().replace("+00:00", "Z")


def _base64(value: object) -> object:
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()


def _items(converted: Callable[[object], object] | None) -> Callable[[object], object] | None:
    if converted is None:
        return None

    def items(value: object) -> object:
        assert isinstance(value, list)
        return [None if item is None else converted(item) for item in value]

    return items


def _fields(converted: dict[str, Callable[[object], object] | None]) -> Callable[[object], object] | None:
    if not any(converted.values()):
        return None

    def fields(value: object) -> object:
        assert isinstance(value, dict)
        return {
            name: item if item is None or (change := converted[name]) is None else change(item)
            for name, item in value.items()
        }

    return fields


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _item_type(kind: pa.DataType) -> pa.DataType:
    item: pa.DataType = kind.field(0).type
    return item
