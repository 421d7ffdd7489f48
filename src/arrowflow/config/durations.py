"""Lengths of time and sizes as people write them ("1h30m", "64MiB") and as the engine counts them."""

from __future__ import annotations

import re

from arrowflow.windows.durations import LONGEST_US, UNIT_US, duration_us

_UNIT_BYTES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
SIZE_PATTERN = r"^\d+ ?(B|kB|MB|GB|KiB|MiB|GiB)?$"
_SIZE = re.compile(r"(\d{1,15}) ?(B|kB|MB|GB|KiB|MiB|GiB)?")


def parse_duration(text: object) -> int:
    """Return microseconds for text such as ``1h30m``; raises `ValueError` with a sentence."""
    if not isinstance(text, str):
        raise ValueError('write a length of time with its unit, such as "5m" or "1h30m"')  # noqa: TRY004 (pydantic turns ValueError into a problem)
    total = duration_us(text)
    if total is None:
        raise ValueError(
            'is no length of time: write numbers with d, h, m, s or ms from large to small, such as "5m", "1h30m" or "500ms"'
        )
    if total > LONGEST_US:
        raise ValueError("is longer than 400 years")
    return total


def duration_text(us: int) -> str:
    """Write microseconds as `parse_duration` reads them, rounded down to milliseconds."""
    parts = []
    for unit, size in UNIT_US.items():
        count, us = divmod(us, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_size(value: object) -> int:
    """Return bytes for ``64MiB``, ``1 GB`` or a plain number; raises `ValueError` with a sentence."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    if found is None:
        raise ValueError('is no size: write a number of bytes or text such as "64MiB" or "1GB"')
    return int(found[1]) * _UNIT_BYTES[found[2] or ""]
