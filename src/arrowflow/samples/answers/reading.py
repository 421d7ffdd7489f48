"""One value to one row or one reason, with the standard library's JSON; never with the engine's decoder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from arrowflow.samples.answers.civil import microseconds

Row = dict[str, object]

_INT64 = range(-(2**63), 2**63)


class _Written(float):
    """A number with the digits it was written with."""

    text: str

    @classmethod
    def of(cls, text: str) -> _Written:
        number = cls(text)
        number.text = text
        return number


class Refused(Exception):
    """Carries the reason class under which a value goes to the dead letters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read(value: bytes, columns: Mapping[str, str]) -> Row:
    """Return the row's columns; a missing field is None, an unknown one is ignored.

    Parameters
    ----------
    value : bytes
        The record's value; not a tombstone.
    columns : Mapping of str to str
        Column to ``string``, ``int64``, ``float64``, ``decimal(p, s)``, ``timestamp[ms]`` or ``timestamp[iso]``;
        time stamps come out as microseconds.

    Raises
    ------
    Refused
        With the reason of the first thing that is wrong.
    """
    if not value:
        raise Refused("empty")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("utf8") from None
    document = _document(text)
    if not isinstance(document, dict):
        raise Refused("not_object")
    return {name: _typed(document.get(name), kind) for name, kind in columns.items()}


def _document(text: str) -> object:
    decoder = json.JSONDecoder(parse_constant=_no_constant, parse_float=_Written.of)
    try:
        document, end = decoder.raw_decode(text.lstrip(" \t\r\n"))
    except json.JSONDecodeError:
        raise Refused("syntax") from None
    if text.lstrip(" \t\r\n")[end:].strip(" \t\r\n"):
        raise Refused("trailing_data")
    return document


def _no_constant(_name: str) -> object:
    raise Refused("syntax")


def _typed(value: object, kind: str) -> object:
    if value is None:
        return None
    match kind:
        case "string":
            if not isinstance(value, str):
                raise Refused("type")
            return value
        case "int64":
            return _whole(value)
        case "float64":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Refused("type")
            return float(value)
        case "timestamp[ms]":
            return _whole(value) * 1_000
        case "timestamp[iso]":
            return _time(value)
        case _ if decimal := re.fullmatch(r"decimal\((\d+), (\d+)\)", kind):
            return _decimal(value, int(decimal[1]), int(decimal[2]))
        case _:
            raise AssertionError(kind)


def _whole(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused("type")
    if value not in _INT64:
        raise Refused("overflow")
    return value


def _decimal(value: object, digits: int, places: int) -> Decimal:
    """The number as it is written, if it has no more places and no more digits before the point."""
    if isinstance(value, bool) or not isinstance(value, int | _Written):
        raise Refused("type")
    exact = Decimal(value.text if isinstance(value, _Written) else value)
    if (Fraction(exact) * 10**places).denominator != 1:
        raise Refused("scale")
    if abs(Fraction(exact)) >= 10 ** (digits - places):
        raise Refused("overflow")
    return exact


def _time(value: object) -> int:
    if not isinstance(value, str):
        raise Refused("type")
    when = datetime.fromisoformat(value)
    if when.tzinfo is None:
        raise Refused("type")
    return microseconds(when)
