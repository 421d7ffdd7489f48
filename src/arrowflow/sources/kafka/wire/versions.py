"""ApiVersions: which requests a broker takes, and the version of each that is spoken here. It connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from arrowflow.sources.kafka.wire import codes, frame
from arrowflow.sources.kafka.wire.cursor import Cursor
from arrowflow.sources.kafka.wire.faults import NotUnderstood

SPOKEN: Mapping[int, tuple[int, int]] = {
    codes.FETCH: (12, 13),
    codes.METADATA: (9, 12),
    codes.HANDSHAKE: (1, 1),
    codes.AUTHENTICATE: (0, 2),
    codes.VERSIONS: (0, 3),
}
"""Lowest and highest version of each request that is written and read here."""

_FLEXIBLE = {codes.FETCH: 12, codes.METADATA: 9, codes.HANDSHAKE: 2, codes.AUTHENTICATE: 2, codes.VERSIONS: 3}
"""The version from which a request has tagged fields."""

_NAMES = {
    codes.FETCH: "Fetch",
    codes.METADATA: "Metadata",
    codes.HANDSHAKE: "SaslHandshake",
    codes.AUTHENTICATE: "SaslAuthenticate",
}


class Api(NamedTuple):
    """A request in one version."""

    key: int
    version: int

    @property
    def flexible(self) -> bool:
        return self.version >= _FLEXIBLE[self.key]


def body(version: int) -> bytes:
    """The request itself."""
    return frame.short_text("arrowflow") + frame.short_text("1") + frame.NO_TAGS if version >= 3 else b""


def offered(cursor: Cursor, version: int, place: str) -> dict[int, tuple[int, int]] | None:
    """Return what a broker offers per request, or None if it asks for version 0 of this one."""
    code = cursor.int16()
    if code == codes.UNSUPPORTED_VERSION:
        return None
    if code != codes.NONE:
        raise NotUnderstood(f"{place} refuses to tell its versions: {codes.told(code)}")

    def one() -> tuple[int, tuple[int, int]]:
        found = cursor.int16(), (cursor.int16(), cursor.int16())
        if version >= 3:
            cursor.skip_tags()
        return found

    return dict(cursor.many_short(one) if version >= 3 else cursor.many(one))


def chosen(offers: Mapping[int, tuple[int, int]], key: int, place: str) -> Api:
    """Return the newest version both sides know; raises `NotUnderstood` where there is none."""
    low, high = SPOKEN[key]
    theirs = offers.get(key)
    if theirs is None or theirs[0] > high or theirs[1] < low:
        has = "none" if theirs is None else f"{theirs[0]} to {theirs[1]}"
        raise NotUnderstood(f"{place} has versions {has} of {_NAMES[key]}, columnar fetch speaks {low} to {high}")
    return Api(key, min(high, theirs[1]))
