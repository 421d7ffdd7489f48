"""Whole-chunk scans for what msgspec does not check: they mark records for the dialect and never judge one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from arrowflow.decoders.grammar import Limits
from arrowflow.decoders.layout import U8, layout
from arrowflow.types import I64, Bool

_BLOCK: Final = 64
_SHORTEST_MEMBER: Final = len('"":0,')


def suspects(values: pa.Array[Any], limits: Limits) -> Bool:
    """Return which of binary[n] are empty, not UTF-8, or may hold too many members or too long a string."""
    start, data = layout(values)
    length = np.diff(start)
    doubt: Bool = length == 0
    doubt |= invalid_utf8(values)
    doubt |= length - 2 > limits.max_string_bytes
    for row in np.flatnonzero(length > _SHORTEST_MEMBER * limits.max_fields).tolist():
        doubt[row] |= np.count_nonzero(data[start[row] : start[row + 1]] == ord(":")) > limits.max_fields
    return doubt


def invalid_utf8(values: pa.Array[Any]) -> Bool:
    """Arrow checks each value for itself and tells only that one is wrong: then blocks are tried, then their values."""
    invalid: Bool = np.zeros(len(values), np.bool_)
    if _all_utf8(values):
        return invalid
    for low in range(0, len(values), _BLOCK):
        block = values.slice(low, _BLOCK)
        if not _all_utf8(block):
            texts: list[Any] = block.to_pylist()
            invalid[low : low + len(block)] = [not _is_utf8(text) for text in texts]
    return invalid


def _all_utf8(values: pa.Array[Any]) -> bool:
    try:
        values.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def mark_deep(doubt: Bool, start: I64, data: U8, max_depth: int) -> None:
    """Put records with more than `max_depth` opening brackets in doubt: one with fewer is not too deep.

    Records not in doubt must be objects, so each has one bracket at least: when all together have not many
    more than that, none has too many.
    """
    opens = data | np.uint8(0x20)  # '[' and '{' differ in this bit alone
    is_open: Bool = np.equal(opens, ord("{"), out=opens.view(np.bool_))
    total = int(np.count_nonzero(is_open))
    rows = len(doubt)
    if total <= max_depth + rows - np.count_nonzero(doubt) - 1:
        return
    ends = start.tolist()
    step = max(1, max_depth * rows // (2 * total))  # as many at once as will rarely pass the limit
    for low in range(0, rows, step):
        high = min(low + step, rows)
        if np.count_nonzero(is_open[ends[low] : ends[high]]) > max_depth:
            for row in range(low, high):
                doubt[row] |= np.count_nonzero(is_open[ends[row] : ends[row + 1]]) > max_depth
