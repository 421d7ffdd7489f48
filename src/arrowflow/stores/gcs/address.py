"""Addresses such as ``gs://bucket/folder/object``: read, checked, taken apart; pure text, nothing is looked up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from arrowflow.errors import ConfigError

SCHEME = "gs://"
NO_CLIENT = "the client of Cloud Storage is not installed: run `pip install 'arrowflow[gcs]'`"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]*[a-z0-9]")
_LONGEST_NAME = 1024


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket and a name in it; the name is empty for the bucket itself."""

    bucket: str
    name: str

    @property
    def folder(self) -> str:
        """What the names of everything below this one begin with."""
        return f"{self.name}/" if self.name else ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.name}" if self.name else f"{SCHEME}{self.bucket}"


def is_address(path: str) -> bool:
    """Whether `path` is meant to be in Cloud Storage."""
    return path.lower().startswith(SCHEME)


def parse(path: str) -> Address:
    """Take an address apart; one slash at its end is ignored.

    Raises
    ------
    ConfigError
        For anything that is no address, for a name that no bucket has, and for parts of a path that tools take for
        something else: empty ones, ``.`` and ``..``.
    """
    if not path.startswith(SCHEME):
        raise ConfigError(f"{path}: this store takes absolute addresses, such as {SCHEME}bucket/folder")
    bucket, _, name = path.removeprefix(SCHEME).partition("/")
    name = name.removesuffix("/")
    fault = _fault(bucket, name)
    if fault is not None:
        raise ConfigError(f"{path}: {fault}")
    return Address(bucket, name)


def normal(path: str) -> str:
    """Return an address in the one form it is compared by: without a slash at its end."""
    return str(parse(path))


def client_missing() -> str | None:
    """Return what to do where the client library is not installed, which no address needs and every store does."""
    try:
        found = find_spec("google.cloud.storage")
    except ModuleNotFoundError:
        found = None
    return None if found is not None else NO_CLIENT


def check_apart(folders: Sequence[Address]) -> None:
    """Refuse folders inside one another: a reader that globs the outer one would read the inner one's objects."""
    for i, inner in enumerate(folders):
        for outer in (*folders[:i], *folders[i + 1 :]):
            if inner.bucket == outer.bucket and inner.folder.startswith(outer.folder):
                raise ConfigError(
                    f"{inner} lies inside {outer}: the control prefix and every table root need folders of their own"
                )


def _fault(bucket: str, name: str) -> str | None:
    if _BUCKET.fullmatch(bucket) is None or not 3 <= len(bucket) <= 222:
        return (
            f"{bucket!r} is no bucket: 3 characters or more, lower-case letters, digits, `-`, `_` and `.`, with a letter or "
            "digit at both ends"
        )
    parts = name.split("/") if name else []
    if any(part in ("", ".", "..") for part in parts):
        return "an empty part, `.` or `..` is no folder in a bucket; write each name once, with one slash between"
    if "\n" in name or "\r" in name or "\0" in name:
        return "a line break or NUL cannot be in a name"
    if len(name.encode()) > _LONGEST_NAME:
        return f"the name has {len(name.encode())} bytes, {_LONGEST_NAME} are allowed"
    return None
