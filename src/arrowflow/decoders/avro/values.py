"""Which Avro types a column takes, and what it makes of one value: the rules, one value at a time. Never sees bytes of a record."""

from __future__ import annotations

import json
import math
import struct
import uuid
from decimal import Decimal
from typing import Any, Final

from arrowflow.decoders.avro.tree import Node
from arrowflow.decoders.civil import LocalTime, in_range, read_date, read_instant
from arrowflow.decoders.schema import ColumnType, Kind
from arrowflow.decoders.verdict import Refused, Value, snippet

FIRST_DAY: Final = -719_162
"""0001-01-01."""
LAST_DAY: Final = 2_932_896
"""9999-12-31."""
_PER_SECOND: Final = {"timestamp-millis": 10**3, "timestamp-micros": 10**6, "timestamp-nanos": 10**9}
_WHOLE: Final = ("int", "long")
_INT_BOUNDS: Final = (-(2**31), 2**31 - 1)
_LONG_BOUNDS: Final = (-(2**63), 2**63 - 1)


def takes(column: ColumnType, node: Node) -> bool:
    """Whether a column can hold values of an Avro type that is neither a union nor null."""
    match column.kind:
        case Kind.STRING:
            return node.logical == "uuid" or (node.kind in ("string", "bytes", "enum") and not node.logical)
        case Kind.BOOL:
            return node.kind == "boolean"
        case Kind.INTEGER:
            return node.kind in _WHOLE
        case Kind.FLOAT:
            return node.kind in ("float", "double") or (node.kind in _WHOLE and not node.logical)
        case Kind.DECIMAL:
            return node.logical == "decimal" or (node.kind in _WHOLE and not node.logical)
        case Kind.DATE:
            return node.logical == "date" or (node.kind == "string" and not node.logical)
        case Kind.INSTANT:
            return node.kind in _WHOLE and (not node.logical or node.logical in _PER_SECOND)
        case Kind.TEXT_INSTANT:
            return node.kind == "string" and not node.logical
        case Kind.JSON:
            return True


def suggestion(node: Node) -> str:
    """What to write for a column of an Avro type that the declared one does not take."""
    if node.kind == "union":
        return " or ".join(dict.fromkeys(suggestion(each) for each in node.branches if each.kind != "null"))
    if node.logical in _PER_SECOND:
        return {3: '"timestamp[ms]"', 6: '"timestamp[us]"', 9: '"timestamp[ns]"'}[
            len(str(_PER_SECOND[node.logical])) - 1
        ]
    if node.logical == "decimal":
        return f'"decimal(38, {min(node.places, 38)})"'
    if node.logical in ("date", "uuid"):
        return '"date"' if node.logical == "date" else '"string"'
    simple = {"boolean": "bool", "int": "int32", "long": "int64", "float": "float32", "double": "float64"}
    simple |= {"string": "string", "enum": "string", "bytes": "string"}
    return f'"{simple.get(node.kind, "json")}"'


def units_per_second(column: ColumnType, node: Node) -> int:
    """Return what an instant counts: the schema says it by its logical type, else the column does."""
    return _PER_SECOND.get(node.logical, column.per_second)


def bounds_of(node: Node) -> tuple[int, int]:
    """The least and greatest value of ``int`` and ``long``, and of the places of an enum's symbols."""
    if node.kind == "enum":
        return 0, len(node.symbols) - 1
    return _INT_BOUNDS if node.kind == "int" else _LONG_BOUNDS


def value_of(column: ColumnType, node: Node, seen: Any, local: LocalTime | None) -> Value:  # noqa: ANN401 - whatever Avro has
    """Return what a column makes of a value of an Avro type; raises `Refused` without the field's name.

    Parameters
    ----------
    column, node : ColumnType, Node
        The column, and the type that the value was written as, no union.
    seen : object
        The value as fastavro reads it without logical types.
    local : LocalTime or None
        The zone of text without an offset.
    """
    if column.kind is Kind.JSON:
        return as_json(seen)
    if not takes(column, node):
        raise Refused("type", f"expected {column.text}, got {node.text}")
    match column.kind:
        case Kind.STRING:
            return _text(node, seen)
        case Kind.BOOL:
            return bool(seen)
        case Kind.INTEGER:
            if not column.low <= seen <= column.high:
                raise Refused("overflow", f"{seen} is outside {column.low} to {column.high}")
            return int(seen)
        case Kind.FLOAT:
            return _float(column, float(seen))
        case Kind.DECIMAL:
            return _decimal(column, node, seen)
        case Kind.DATE:
            return read_date(seen) if node.kind == "string" else _day(seen)
        case Kind.INSTANT:
            return in_range(seen * 1_000_000 // units_per_second(column, node), str(seen))
        case Kind.TEXT_INSTANT:
            return read_instant(seen, local)


def _text(node: Node, seen: str | bytes) -> str:
    if node.kind == "fixed":
        return str(uuid.UUID(bytes=bytes(seen)))  # type: ignore[arg-type]
    if isinstance(seen, str):
        return seen
    try:
        return seen.decode()
    except UnicodeDecodeError as error:
        raise Refused("utf8", f"byte {error.start} of the value is not UTF-8: {snippet(seen)}") from None


def _float(column: ColumnType, seen: float) -> float:
    if column.text != "float32" or not math.isfinite(seen):
        return seen
    try:
        return float(struct.unpack("<f", struct.pack("<f", seen))[0])
    except OverflowError:
        raise Refused("overflow", f"{seen!r} is too large for float32") from None


def _decimal(column: ColumnType, node: Node, seen: int | bytes) -> Decimal:
    """Return the number in the places of the column, exactly or not at all."""
    unscaled = int.from_bytes(seen, "big", signed=True) if isinstance(seen, bytes) else seen
    shift = column.places - node.places
    if shift >= 0:
        number, rest = unscaled * 10**shift, 0
    else:
        number, rest = divmod(unscaled, 10**-shift)
    if rest:
        raise Refused("scale", f"the number has more than {column.places} places after the point")
    if abs(number) >= 10**column.digits:
        raise Refused("overflow", f"the number has more than {column.digits - column.places} digits before the point")
    return Decimal(f"{number}e-{column.places}")  # from text: arithmetic would round to the context's 28 digits


def _day(seen: int) -> int:
    if not FIRST_DAY <= seen <= LAST_DAY:
        raise Refused("date", f"day {seen} is outside the years 0001 to 9999")
    return seen


def as_json(seen: object) -> str:
    """Return a value as compact JSON, bytes as Avro writes them there: one character for each; refuses NaN and infinities."""
    try:
        return json.dumps(seen, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_latin)
    except ValueError:
        raise Refused("type", "a float in it is no finite number, which JSON cannot say") from None


def _latin(seen: object) -> str:
    assert isinstance(seen, bytes)
    return seen.decode("latin-1")
