"""What a column makes of one Avro value, said again in plain Python from what the page says; of the engine it knows nothing."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import struct
import uuid
from decimal import Decimal
from fractions import Fraction

UNITS = {"timestamp-millis": 10**3, "timestamp-micros": 10**6, "timestamp-nanos": 10**9}
SECONDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
RANGES = {
    f"{sign}int{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}
FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
KNOWN = {
    "int": ("date", "time-millis"),
    "long": ("time-micros", *UNITS, "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos"),
    "string": ("uuid",),
    "bytes": ("decimal",),
    "fixed": ("decimal", "uuid"),
}


def kind_and_logical(schema):
    if isinstance(schema, str):
        return schema, None
    kind, logical = schema["type"], schema.get("logicalType")
    return kind, logical if logical in KNOWN.get(kind, ()) else None


def fits(column, schema):
    """Whether the page says that a column takes a type."""
    kind, logical = kind_and_logical(schema)
    whole = kind in ("int", "long")
    if column == "json":
        return True
    if column == "string":
        return (kind in ("string", "bytes", "enum") and logical is None) or logical == "uuid"
    if column == "bool":
        return kind == "boolean"
    if column in RANGES:
        return whole
    if column.startswith("float"):
        return kind in ("float", "double") or (whole and logical is None)
    if column.startswith("decimal"):
        return logical == "decimal" or (whole and logical is None)
    if column == "date":
        return logical == "date" or (kind == "string" and logical is None)
    if column.startswith("timestamp[iso"):
        return kind == "string" and logical is None
    return whole and (logical is None or logical in UNITS)


def expected(column, schema, value, plain):
    """("ok", what the column holds) or ("bad", the reason); `plain` is the value without the branches of unions."""
    kind, logical = kind_and_logical(schema)
    if column == "json":
        try:
            return "ok", json.dumps(
                plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=lambda b: b.decode("latin-1")
            )
        except ValueError:
            return "bad", "type"
    if not fits(column, schema):
        return "bad", "type"
    if column == "string":
        return _string(kind, value)
    if column == "bool":
        return "ok", value
    if column in RANGES:
        low, high = RANGES[column]
        return ("ok", value) if low <= value <= high else ("bad", "overflow")
    if column.startswith("float"):
        return _float(column, float(value))
    if column.startswith("decimal"):
        return _decimal(column, schema, value)
    if column == "date":
        return _date(kind, value)
    if column.startswith("timestamp[iso"):
        return _iso(value)
    units = UNITS[logical] if logical else SECONDS[column[10:-1]]
    instant = math.floor(Fraction(value * 10**6, units))
    return ("ok", instant) if FIRST <= instant <= LAST else ("bad", "timestamp_range")


def _string(kind, value):
    if kind == "fixed":
        return "ok", str(uuid.UUID(value.hex()))
    if isinstance(value, str):
        return "ok", value
    try:
        return "ok", value.decode()
    except UnicodeDecodeError:
        return "bad", "utf8"


def _float(column, value):
    if column == "float64" or math.isinf(value) or math.isnan(value):
        return "ok", value
    try:
        return "ok", struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return "bad", "overflow"


def _decimal(column, schema, value):
    digits, places = map(int, re.findall(r"\d+", column))
    scale = 0 if isinstance(schema, str) else schema.get("scale", 0)
    exact = Fraction(int.from_bytes(value, "big", signed=True) if isinstance(value, bytes) else value, 10**scale)
    unscaled = exact * 10**places
    if unscaled.denominator != 1:
        return "bad", "scale"
    return ("ok", Fraction(unscaled, 10**places)) if abs(unscaled) < 10**digits else ("bad", "overflow")


def _date(kind, value):
    if kind != "string":
        return ("ok", value) if -719162 <= value <= 2932896 else ("bad", "date")
    try:
        return "ok", (dt.date.fromisoformat(value) - dt.date(1970, 1, 1)).days if len(value) == 10 else _raise()
    except ValueError:
        return "bad", "date"


def _iso(value):
    """Of the few texts that are drawn: a time with an offset, or none at all."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT.*(Z|[-+]\d\d:\d\d)", value):
        return "bad", "timestamp"
    return "ok", (dt.datetime.fromisoformat(value) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(
        microseconds=1
    )


def _raise():
    raise ValueError


def shown(value):
    """A comparable form: floats by their bits (any NaN as one), exact numbers as fractions."""
    if isinstance(value, Decimal):
        return Fraction(value)
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value).hex()
    return value
