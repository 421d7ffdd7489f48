"""Bytes of a record: JSON that ends with the digest of everything before it; never touches a store.

``{ ... ,"sha256":"<64 hex digits>"}`` — the framing is the same for every version and for ``job.json``, so damage is
told from news: a wrong digest is a changed log, a right digest with a higher `v` is a newer engine's record.
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from arrowflow.errors import DataLossError, StateRefused
from arrowflow.types import Manifest

VERSION = 1
_EMPTY = b',"sha256":""}'
_OPEN, _CLOSE = b',"sha256":"', b'"}'
_TAIL = len(_OPEN) + 64 + len(_CLOSE)

_Content = TypeVar("_Content", bound=msgspec.Struct)


class JobFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``job.json``: made once when a job first starts, never again."""

    v: int = VERSION
    incarnation: str
    sha256: str = ""


class _Head(msgspec.Struct):
    v: int


def encode(manifest: Manifest) -> bytes:
    """Return the bytes of a record; its `sha256` is computed anew, whatever `manifest` holds."""
    return seal(manifest)


def decode(data: bytes, place: str) -> Manifest:
    """Return the record that `data` holds; its `sha256` is the verified one.

    Raises
    ------
    DataLossError
        The bytes are not those that were written: any flipped bit is found. Stop; restore the file named.
    StateRefused
        The bytes are right but another version of the engine wrote them.
    """
    return unseal(data, Manifest, place)


def seal(content: msgspec.Struct) -> bytes:
    """Return `content` as JSON with the digest of the bytes before its last field, `sha256`."""
    blank = msgspec.json.encode(msgspec.structs.replace(content, sha256=""))
    body = blank.removesuffix(_EMPTY)
    return body + _OPEN + hashlib.sha256(body).hexdigest().encode() + _CLOSE


def unseal(data: bytes, kind: type[_Content], place: str) -> _Content:
    """Verify the digest, then read a `kind`; fields it does not know are left out."""
    body, tail = data[:-_TAIL], data[-_TAIL:]
    if tail != _OPEN + hashlib.sha256(body).hexdigest().encode() + _CLOSE:
        raise DataLossError(
            f"{place}: its {len(data)} bytes do not match the sha256 they end with: the file was changed or cut. "
            "Restore it from a copy; do not delete it"
        )
    try:
        version = msgspec.json.decode(data, type=_Head).v
        if version > VERSION:
            raise StateRefused(f"{place}: version {version}, this engine reads up to {VERSION}: run the newer engine")
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise StateRefused(f"{place}: whole, but not understood ({error}): run the engine that wrote it") from error


def check_follows(older: Manifest, newer: Manifest) -> None:
    """Raise `DataLossError` unless `newer` was written directly after `older` in the same log."""
    if newer.epoch != older.epoch + 1 or newer.incarnation != older.incarnation:
        raise DataLossError(
            f"record {newer.epoch} of {newer.job!r} ({newer.incarnation}) does not follow record {older.epoch} of "
            f"{older.job!r} ({older.incarnation}): records of two logs are mixed, or some are missing"
        )
    if newer.prev != older.sha256:
        raise DataLossError(
            f"record {newer.epoch} names {newer.prev or 'nothing'} as record {older.epoch}, which is {older.sha256}: "
            "one of the two was replaced; restore the log from a copy"
        )
