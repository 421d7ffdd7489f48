"""Lengths of time as people write them, such as ``1h30m``: the one grammar of files, aggregates and programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

UNIT_US: Mapping[str, int] = MappingProxyType(
    {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000}
)
DURATION_PATTERN = r"^(\d{1,12}d)?(\d{1,12}h)?(\d{1,12}m)?(\d{1,12}s)?(\d{1,12}ms)?$"
LONGEST_US = 400 * 366 * UNIT_US["d"]
"""No length of time is longer: 400 years."""

_PART = re.compile(r"(\d{1,12})(ms|d|h|m|s)")
_WHOLE = re.compile(DURATION_PATTERN)


def duration_us(text: str) -> int | None:
    """Microseconds of text such as ``1h30m``, of any length; None where it is none."""
    if not text or not text.isascii() or not _WHOLE.fullmatch(text):
        return None
    return sum(int(number) * UNIT_US[unit] for number, unit in _PART.findall(text))
