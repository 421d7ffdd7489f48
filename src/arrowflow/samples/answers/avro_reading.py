"""One framed Avro reading to one row or one reason, by hand from the two schemas; never with the engine's decoder."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from arrowflow.samples.answers.reading import Refused, Row


def read(value: bytes, columns: Mapping[str, str]) -> Row:
    """Return the row's columns, time as microseconds; raises `Refused` with the reason of the first thing that is wrong."""
    if not value:
        raise Refused("empty")
    if len(value) < 5 or value[0] != 0:
        raise Refused("framing")
    number = int.from_bytes(value[1:5], "big")
    if number not in (7, 12):
        raise Refused("unknown_schema")
    bytes_ = _Bytes(value, 5)
    try:
        row = _first(bytes_) if number == 7 else _second(bytes_)
    except (IndexError, struct.error):
        raise Refused("syntax") from None
    except UnicodeDecodeError:
        raise Refused("utf8") from None
    if bytes_.at != len(value):
        raise Refused("trailing_data")
    return {name: row[name] for name in columns}


def _first(bytes_: _Bytes) -> Row:
    row: Row = {"sensor_id": bytes_.text(), "planta": bytes_.text(), "timestamp": None, "value": None}
    if bytes_.branch(2):
        row["timestamp"] = bytes_.number() * 1_000
    if bytes_.branch(2):
        row["value"] = bytes_.real("<d", 8)
    row["unit"] = bytes_.text()
    if bytes_.branch(2):
        bytes_.text()
    return row


def _second(bytes_: _Bytes) -> Row:
    bytes_.text()
    bytes_.number()
    bytes_.branch(2)  # an enum's symbol is written as a union's branch is
    row: Row = {"planta": bytes_.text(), "sensor_id": bytes_.text(), "timestamp": None, "value": None}
    if bytes_.branch(2):
        row["timestamp"] = bytes_.number()
    which = bytes_.branch(3)
    if which:
        row["value"] = float(bytes_.number()) if which == 1 else bytes_.real("<d", 8)
    row["unit"] = bytes_.text()
    if bytes_.branch(2):
        bytes_.number()
        if bytes_.branch(2):
            bytes_.text()
    for _ in bytes_.items():
        bytes_.real("<f", 4)
    for _ in bytes_.items():
        bytes_.text()
        bytes_.text()
    return row


class _Bytes:
    """A value and a place in it."""

    def __init__(self, value: bytes, at: int) -> None:
        self._value = value
        self.at = at

    def number(self) -> int:
        word = shift = 0
        while True:
            byte = self._value[self.at]
            self.at += 1
            word |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return word // 2 if word % 2 == 0 else -(word + 1) // 2

    def branch(self, count: int) -> int:
        which = self.number()
        if not 0 <= which < count:
            raise IndexError
        return which

    def text(self) -> str:
        size = self.number()
        if not 0 <= size <= len(self._value) - self.at:
            raise IndexError
        self.at += size
        return self._value[self.at - size : self.at].decode()

    def real(self, form: str, size: int) -> float:
        (number,) = struct.unpack_from(form, self._value, self.at)
        self.at += size
        return float(number)

    def items(self) -> Iterator[None]:
        """Once for each item of all blocks, up to the empty one."""
        while count := self.number():
            if count < 0:
                self.number()
            for _ in range(abs(count)):
                yield
