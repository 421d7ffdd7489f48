"""The bytes of a value: a reading as Avro behind its schema's id, and the ways such a value goes wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from arrowflow.samples.streams import telegram

FIRST_ID, SECOND_ID, FOREIGN_ID = 7, 12, 99
"""Schemas of the gateways' two versions (``configs/schemas``), and one that nobody here has."""

BREAKAGES = ("empty", "truncated", "trailing", "json", "foreign", "bad_utf8", "no_time", "branch")
"""Ways a record goes wrong; each leads to one reason in the dead letters."""


def first(fields: Mapping[str, object]) -> bytes:
    """A reading as the first version of the gateways writes it."""
    return b"".join(
        (
            _frame(FIRST_ID),
            _text(fields["sensor_id"]),
            _text(fields["planta"]),
            _optional(fields["timestamp"], _long),
            _optional(fields["value"], _double),
            _text(fields["unit"]),
            _optional(fields["operador"], _text),
        )
    )


def second(fields: Mapping[str, object], sequence: int) -> bytes:
    """A reading as their second version writes it."""
    time, value = fields["timestamp"], fields["value"]
    quality = fields.get("quality")
    labels = [_text("site"), _text(fields["planta"])] if sequence % 3 else []
    return b"".join(
        (
            _frame(SECOND_ID),
            _text(f"gw-{fields['planta']}"),
            _long(sequence),
            _long(sequence % 50 == 0),
            _text(fields["planta"]),
            _text(fields["sensor_id"]),
            _optional(time * 1_000 if isinstance(time, int) else None, _long),
            _long(0)
            if value is None
            else _long(1) + _long(value)
            if isinstance(value, int)
            else _long(2) + _double(value),
            _text(fields["unit"]),
            _long(0) if quality is None else _long(1) + _long(192) + _long(0),
            *_block(sequence % 4, [struct.pack("<f", n / 8) for n in range(sequence % 4)], sized=sequence % 2 == 0),
            _long(0),
            *_block(len(labels) // 2, labels, sized=False),
            _long(0),
        )
    )


def broken(how: str, fields: Mapping[str, object]) -> bytes:
    """A reading of the first version spoilt in one way."""
    good = first(fields)
    match how:
        case "empty":
            return b""
        case "truncated":
            return good[: len(good) * 2 // 3]
        case "trailing":
            return good + b"\x00"
        case "json":
            return telegram.text(fields)
        case "foreign":
            return _frame(FOREIGN_ID) + good[5:]
        case "bad_utf8":
            return good[:6] + b"\xe9" + good[7:]  # Latin-1 in place of the first character
        case "no_time":
            return first({**fields, "timestamp": None})
        case "branch":
            place = 5 + len(_text(fields["sensor_id"]) + _text(fields["planta"]))
            return good[:place] + _long(7) + good[place + 1 :]
        case _:
            raise AssertionError(how)


def _frame(number: int) -> bytes:
    return b"\x00" + number.to_bytes(4, "big")


def _long(value: object) -> bytes:
    assert isinstance(value, int)
    zigzag, out = (value << 1) ^ (value >> 63), bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])


def _text(value: object) -> bytes:
    written = str(value).encode()
    return _long(len(written)) + written


def _double(value: object) -> bytes:
    return struct.pack("<d", value)


def _optional(value: object, write: Callable[[object], bytes]) -> bytes:
    return _long(0) if value is None else _long(1) + write(value)


def _block(count: int, items: list[bytes], *, sized: bool) -> list[bytes]:
    """One block of an array or map, with its size in bytes or without; none for no items."""
    if not count:
        return []
    body = b"".join(items)
    return [_long(-count), _long(len(body)), body] if sized else [_long(count), body]
