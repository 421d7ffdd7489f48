"""The written dialect for one record: bytes in, one value per field out, or the reason why not.

This is the truth (docs/json-dialect.md); a faster strategy may only skip work whose result is known here.
It never sees a second record.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from arrowflow.decoders.civil import LocalTime, in_range, read_date, read_instant
from arrowflow.decoders.grammar import NUMBER, Limits, Token, Wanted, read_document, unquote
from arrowflow.decoders.schema import ColumnType, Field, Kind
from arrowflow.decoders.verdict import Refused, Value, snippet, too_large

BOM: Final = b"\xef\xbb\xbf"

_KINDS: Final = {
    b'"': "a string",
    b"0": "a number",
    b"t": "a boolean",
    b"f": "a boolean",
    b"{": "an object",
    b"[": "an array",
}
COERCIBLE: Final = (Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.INSTANT, Kind.BOOL)
_MAX_EXPONENT_DIGITS: Final = 9
_MAX_INTEGER_DIGITS: Final = 25
"""Longer integers fit no column; they are refused without being computed."""


class Dialect:
    """The rules compiled for one list of fields."""

    def __init__(self, fields: Sequence[Field], limits: Limits, *, coerce: bool) -> None:
        self._fields = tuple(fields)
        self._limits = limits
        self._coerce = coerce
        self._wanted = Wanted.of([field.keys for field in fields])
        self._locals = [local_time(field.column) for field in fields]

    def judge(self, value: bytes) -> tuple[Value, ...]:
        """Return one value per field, in order; raises `Refused` with the first thing wrong."""
        if len(value) > self._limits.max_bytes:
            raise too_large(len(value), self._limits.max_bytes)
        found = read_document(admit(value), self._wanted, self._limits)
        return tuple(self._value(index, found.get(index)) for index in range(len(self._fields)))

    def _value(self, index: int, token: Token | None) -> Value:
        field = self._fields[index]
        if token is None or token.kind == b"n":
            if field.required:
                seen = "missing" if token is None else "null"
                raise Refused("required", f"{field.place} is {seen} and required")
            return None
        try:
            return read_value(token, field.column, self._locals[index], coerce=self._coerce)
        except Refused as refusal:
            raise Refused(refusal.reason, f"{field.place}: {refusal.detail}") from None


def local_time(column: ColumnType) -> LocalTime | None:
    """Return the zone of a column of naive local text, None for any other."""
    return None if column.zone is None else LocalTime(column.zone, column.fold)


def admit(value: bytes) -> bytes:
    """Return the document inside a value: UTF-8 checked everywhere, one byte order mark taken off."""
    if not value:
        raise Refused("empty", "the value has no bytes")
    if value[0] == 0 and len(value) >= 5:
        schema_id = int.from_bytes(value[1:5], "big")
        raise Refused(
            "confluent_framing",
            f"the value starts with 0x00 and schema id {schema_id}: a schema registry's framing around Avro, Protobuf "
            "or JSON Schema, not plain JSON; read this topic with the decoder of that format",
        )
    try:
        value.decode()
    except UnicodeDecodeError as error:
        around = snippet(value[max(error.start - 8, 0) : error.start + 8])
        raise Refused("utf8", f"byte {error.start} is not UTF-8: {around}") from None
    text = value.removeprefix(BOM)
    if not text.strip(b" \t\n\r"):
        raise Refused("empty", "the value holds only white space or a byte order mark")
    return text


def read_value(token: Token, column: ColumnType, local: LocalTime | None, *, coerce: bool) -> Value:
    """Return the value of a token that is there and not null; raises `Refused` without the field's name."""
    kind = column.kind
    if token.kind == b"":
        raise Refused("type", f"expected an object on the way to the value, got {snippet(token.text)}")
    if kind is Kind.JSON:
        return token.text.decode()
    if coerce and token.kind == b'"' and kind in COERCIBLE:
        return read_spelled(unquote(token.text), column)
    if kind is Kind.BOOL:
        _expect(token, b"tf", column)
        return token.kind == b"t"
    if kind in COERCIBLE:
        _expect(token, b"0", column)
        return _number(token.text, column)
    _expect(token, b'"', column)
    text = unquote(token.text)
    if kind is Kind.STRING:
        return text
    return read_date(text) if kind is Kind.DATE else read_instant(text, local)


def _expect(token: Token, kinds: bytes, column: ColumnType) -> None:
    if token.kind not in kinds:
        raise Refused("type", f"expected {column.text}, got {_KINDS[token.kind]} {snippet(token.text)}")


def read_spelled(text: str, column: ColumnType) -> Value:
    """Return the number or boolean that a string spells with nothing around it: what `coerce` allows."""
    if column.kind is Kind.BOOL and text in ("true", "false"):
        return text == "true"
    if column.kind is not Kind.BOOL and NUMBER.fullmatch(written := text.encode()):
        return _number(written, column)
    raise Refused("type", f"expected {column.text}, got a string {snippet(text)} that does not spell one")


def _number(text: bytes, column: ColumnType) -> int | float | Decimal:
    if column.kind is Kind.FLOAT:
        return read_float(text, column)
    if column.kind is Kind.DECIMAL:
        return read_decimal(text, column)
    number = read_integer(text, column)
    if column.kind is Kind.INSTANT:
        if number is None:
            raise Refused("timestamp_range", f"{snippet(text)} is outside the years 0001 to 9999 UTC")
        return in_range(number * 1_000_000 // column.per_second, text.decode())
    if number is None or not column.low <= number <= column.high:
        raise Refused("overflow", f"{snippet(text)} is outside {column.low} to {column.high}")
    return number


def read_float(text: bytes, column: ColumnType) -> float:
    """Return the nearest double (then, for float32, the nearest float) with zero unsigned; refuses infinities."""
    number = float(text)
    if column.text == "float32":
        try:
            number = struct.unpack("<f", struct.pack("<f", number))[0]
        except OverflowError:
            number = math.inf
    if math.isinf(number):
        raise Refused("overflow", f"{snippet(text)} is too large for {column.text}")
    return number + 0.0  # -0.0 becomes 0.0


def read_integer(text: bytes, column: ColumnType) -> int | None:
    """Return the integer a JSON number spells exactly, or None where it has more than 25 digits.

    Raises `Refused` with `type` for a number with a fraction. Never computes a power larger than 10**25.
    """
    sign, significant, zeros = _exact(text)
    if zeros < 0:
        raise Refused("type", f"expected {column.text}, got {snippet(text)}, which is not a whole number")
    if len(significant) + zeros > _MAX_INTEGER_DIGITS:
        return None
    number: int = sign * int(significant or b"0") * 10**zeros
    return number


def read_decimal(text: bytes, column: ColumnType) -> Decimal:
    """Return the decimal a JSON number spells exactly, in the places of the column; it is never rounded.

    Raises `Refused` with `scale` for more places than the column has, zeros at the end not counted, and with
    `overflow` for more digits before the point.
    """
    sign, significant, power = _exact(text)
    zeros = power + column.places
    if zeros < 0:
        raise Refused("scale", f"{snippet(text)} has more than {column.places} places after the point")
    if len(significant) + zeros > column.digits:
        raise Refused(
            "overflow", f"{snippet(text)} has more than {column.digits - column.places} digits before the point"
        )
    unscaled = sign * int(significant or b"0") * 10**zeros
    return Decimal(f"{unscaled}e-{column.places}")  # from text: arithmetic would round to the context's 28 digits


def _exact(text: bytes) -> tuple[int, bytes, int]:
    """Return sign, digits and power of ten of a JSON number: no zeros at either end of the digits, no digits for zero.

    The power of zero is 0; that of an absurd exponent is as absurd, and never computed here.
    """
    sign = -1 if text.startswith(b"-") else 1
    mantissa, _, exponent = text.lstrip(b"-").lower().partition(b"e")
    whole, _, fraction = mantissa.partition(b".")
    digits = (whole + fraction).lstrip(b"0")
    if not digits:
        return 1, b"", 0
    significant = digits.rstrip(b"0")
    return sign, significant, len(digits) - len(significant) - len(fraction) + _exponent(exponent)


def _exponent(text: bytes) -> int:
    """Return an exponent, one with more than nine digits as ten times the largest with nine."""
    negative = text.startswith(b"-")
    digits = text.lstrip(b"+-").lstrip(b"0") or b"0"
    size = int(digits) if len(digits) <= _MAX_EXPONENT_DIGITS else 10**_MAX_EXPONENT_DIGITS * 10
    return -size if negative else size
