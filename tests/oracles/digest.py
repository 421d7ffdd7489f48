"""The digest of a state table in plain Python, step by step as docs/state.md writes it down."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MASK = 2**64 - 1
STEP = 0x9E3779B97F4A7C15
NULL = 0x6E756C6C6E756C6C
LANE_B = 0xD1B54A32D192ED03


def mix(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def hash_bytes(data: bytes) -> int:
    a, b = 0x811C9DC5, 0x9747B28C
    for byte in data:
        a = ((a ^ byte) * 0x01000193) & 0xFFFFFFFF
        b = ((b ^ byte) * 0x85EBCA6B) & 0xFFFFFFFF
        a ^= a >> 15
        b ^= b >> 15
    return a | (b << 32)


def words(kind: str, value: object) -> Iterator[int | None]:
    """The words of one value of a column; `kind` is a type in the notation of the tests."""
    if kind.startswith("struct:"):
        for name, child in (part.split("=") for part in kind[7:].split(",")):
            yield from words(child, None if value is None else value[name])
    elif kind.startswith("list:"):
        for i in range(int(kind[5:])):
            yield None if value is None else value[i] & MASK
    elif kind.startswith("lists:"):
        yield None if value is None else len(value)
        yield None if value is None else list_hash(kind[6:], value)
    elif kind == "decimal":
        pattern = None if value is None else int(value) & (2**128 - 1)
        yield None if pattern is None else pattern & MASK
        yield None if pattern is None else pattern >> 64
    elif value is None:
        yield None
    elif kind == "bytes":
        yield hash_bytes(value.encode() if isinstance(value, str) else value)
    elif kind == "float":
        yield struct.unpack("<Q", struct.pack("<d", value))[0]
    else:
        yield int(value) & MASK


def item_hash(kind: str, value: object) -> int:
    out = 0
    for place, word in enumerate(words(kind, value), 1):
        salted = mix((NULL if word is None else word) ^ (place * STEP & MASK))
        out = mix(out ^ (mix(salted) if word is None else salted))
    return out


def list_hash(kind: str, items: list[object]) -> int:
    places = enumerate(items, 1)
    return sum(mix(item_hash(kind, item) ^ (place * STEP & MASK)) for place, item in places) & MASK


def row_hash(kinds: list[str], row: list[object]) -> int:
    a, b, place = 0, LANE_B, 0
    for kind, value in zip(kinds, row, strict=True):
        for word in words(kind, value):
            place += 1
            salted = mix((NULL if word is None else word) ^ (place * STEP & MASK))
            if word is None:
                salted = mix(salted)
            a = mix(a ^ salted)
            b = mix((b + salted) & MASK)
    return a << 64 | b


def digest(kinds: list[str], rows: list[list[object]]) -> str:
    return format(sum(row_hash(kinds, row) for row in rows) % 2**128, "032x")
