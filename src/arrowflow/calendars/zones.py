"""The one way to a time zone: the pinned `tzdata` wheel. Never reads the machine's own zone files."""

from __future__ import annotations

import importlib
import importlib.resources
import re
import struct
from datetime import datetime, timedelta
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from io import BytesIO
from zoneinfo import ZoneInfo

import numpy as np

from arrowflow.calendars.offsets import FIRST_US, SECOND_US, ZoneOffsets
from arrowflow.errors import ConfigError
from arrowflow.types import I64

MINIMUM_TZDATA = "2025.2"
"""The oldest accepted database; `pyproject.toml` asks for the same."""

_HINT = f"install it with: pip install 'tzdata>={MINIMUM_TZDATA}'"
_HEADER = struct.Struct(">4sc15x6l")


def load(name: str, package: str = "tzdata") -> ZoneInfo:
    """Return zone `name` as the wheel has it.

    Parameters
    ----------
    name : str
        An IANA name exactly as listed, for example ``America/Tijuana``.
    package : str
        The package that holds the database.

    Returns
    -------
    ZoneInfo
        Built from the wheel's bytes; the process-wide zone cache and search path are not touched.

    Raises
    ------
    ConfigError
        If the zone is not listed (with near names) or the database is missing.
    """
    return ZoneInfo.from_file(BytesIO(_bytes(name, package)), key=name)


def load_offsets(name: str, package: str = "tzdata") -> ZoneOffsets:
    """Return the UTC offsets of zone `name` as arrays; raises `ConfigError` like `load`."""
    data = _bytes(name, package)
    explicit, rule = _explicit_transitions(data)
    return ZoneOffsets.of(ZoneInfo.from_file(BytesIO(data), key=name), explicit, ruled="," in rule)


def zone_names(package: str = "tzdata") -> tuple[str, ...]:
    """Every name the database lists, ascending; raises `ConfigError` if it is missing."""
    return tuple(sorted((_root(package) / "zones").read_text("utf-8").split()))


def tzdata_version(package: str = "tzdata") -> str:
    """The version of the database, for example ``2026.6``; raises `ConfigError` if it is missing."""
    _root(package)
    return str(importlib.import_module(package).__version__)


def check_tzdata(minimum: str = MINIMUM_TZDATA, package: str = "tzdata") -> str:
    """Return the database's version, or refuse one that is missing, older than `minimum` or out of date.

    A version number is only a claim, so one fact is looked up as well: Mexico gave up daylight saving in
    October 2022, hence Mexico City has one offset all through 2023.

    Raises
    ------
    ConfigError
        With the version found, the version needed and the command to run.
    """
    found = tzdata_version(package)
    if _numbers(found) < _numbers(minimum):
        raise ConfigError(f"tzdata {found} is too old: arrowflow needs {minimum} or newer; {_HINT}")
    mexico = load("America/Mexico_City", package)
    offsets = {datetime(2023, month, 1, 12, tzinfo=mexico).utcoffset() for month in range(1, 13)}
    if offsets != {timedelta(hours=-6)}:
        raise ConfigError(
            f"tzdata says it is {found}, but its America/Mexico_City still has daylight saving time in 2023 "
            f"(Mexico gave it up in 2022): shifts would be an hour off. arrowflow needs {minimum} or newer; {_HINT}"
        )
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _root(package: str) -> Traversable:
    try:
        return importlib.resources.files(package)
    except ImportError as error:
        raise ConfigError(
            f"the time zone database (package {package!r}) is missing: arrowflow needs {MINIMUM_TZDATA} or newer "
            f"and never uses the machine's own; {_HINT}"
        ) from error


def _bytes(name: str, package: str) -> bytes:
    known = zone_names(package)
    if name not in known:  # only listed names are ever opened, so no name can point outside the database
        near = get_close_matches(name, known, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "names look like 'America/Monterrey'"
        raise ConfigError(f"time zone {name!r} is not in tzdata {tzdata_version(package)}: {hint}")
    return _root(package).joinpath("zoneinfo", *name.split("/")).read_bytes()


def _explicit_transitions(data: bytes) -> tuple[I64, str]:
    """Return the listed transitions (int64 microseconds, ascending) and the rule for all later times (RFC 8536)."""
    end_of_first = _HEADER.size + _block_size(data, 0, time_size=4)
    count = _HEADER.unpack_from(data, end_of_first)[5]
    seconds = np.frombuffer(data, dtype=">i8", count=count, offset=end_of_first + _HEADER.size).astype(np.int64)
    footer = end_of_first + _HEADER.size + _block_size(data, end_of_first, time_size=8)
    listed = seconds[seconds > FIRST_US // SECOND_US]  # some files list a transition at the Big Bang
    return listed * SECOND_US, data[footer:].decode("ascii").strip()


def _block_size(data: bytes, at: int, time_size: int) -> int:
    magic, version, isut, isstd, leap, times, types, chars = _HEADER.unpack_from(data, at)
    if magic != b"TZif" or version < b"2":
        raise ConfigError(f"the time zone database is damaged or too old (format {magic!r}, {version!r}); {_HINT}")
    return int(times * (time_size + 1) + types * 6 + chars + leap * (time_size + 4) + isstd + isut)
