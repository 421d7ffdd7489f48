"""Writes Kafka's primitive types and request headers. It sends nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterable

NO_TAGS = b"\0"


def int8(value: int) -> bytes:
    """One signed byte."""
    return struct.pack(">b", value)


def int16(value: int) -> bytes:
    """Two bytes, big-endian."""
    return struct.pack(">h", value)


def int32(value: int) -> bytes:
    """Four bytes, big-endian."""
    return struct.pack(">i", value)


def int64(value: int) -> bytes:
    """Eight bytes, big-endian."""
    return struct.pack(">q", value)


def uvarint(value: int) -> bytes:
    """An unsigned number in groups of seven bits, the lowest first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value: str | None) -> bytes:
    """A string with an int16 length."""
    raw = b"" if value is None else value.encode()
    return int16(-1 if value is None else len(raw)) + raw


def short_text(value: str | None) -> bytes:
    """A compact string."""
    return short_block(None if value is None else value.encode())


def short_block(value: bytes | None) -> bytes:
    """Compact bytes."""
    return b"\0" if value is None else uvarint(len(value) + 1) + value


def many(elements: Iterable[bytes]) -> bytes:
    """An array with an int32 count."""
    found = list(elements)
    return int32(len(found)) + b"".join(found)


def many_short(elements: Iterable[bytes]) -> bytes:
    """A compact array."""
    found = list(elements)
    return uvarint(len(found) + 1) + b"".join(found)


def request(api: int, version: int, number: int, client: str, body: bytes, *, flexible: bool) -> bytes:
    """A whole request with its length: header version 2 where the request has tagged fields, else version 1."""
    head = int16(api) + int16(version) + int32(number) + text(client) + (NO_TAGS if flexible else b"")
    return int32(len(head) + len(body)) + head + body
