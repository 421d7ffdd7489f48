"""A snapshot and the deltas after it, read from the newest to the oldest: the first word met on a pane is the last one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.arrays import ready
from arrowflow.windows.pairs import Pairs

BLOCK = 65_536
"""Rows that are written or read at once, so that no column of all panes is needed twice."""


class LastWords:
    """Panes spoken of so far, by key number and the `places` numbers that tell panes of one key apart."""

    def __init__(self, places: int) -> None:
        self._pairs = [Pairs() for _ in range(places)]

    def among(self, key: I64, places: Sequence[I64], keys: int) -> I64:
        """Rows of a table that speak of panes nobody has spoken of yet; of several on one pane the last row.

        Parameters
        ----------
        key, places : int64[n]
            The panes that rows speak of.
        keys : int
            Key numbers from here on were never spoken of: their rows are taken as they are and not remembered.

        Returns
        -------
        rows : int64[m]
            Ascending.
        """
        number = ready(key[::-1], np.int64)
        beyond, born = (number >= keys).astype(np.int8), np.empty(0, np.int64)
        for pairs, place in zip(self._pairs, places, strict=True):
            number, born = pairs.intern(number, ready(place[::-1], np.int64), beyond)
        rows = len(key) - 1 - np.concatenate([born, np.flatnonzero(beyond)])
        rows.sort()
        return rows


def blocks(slots: I64) -> Iterator[I64]:
    """Slots in blocks, one after another; nothing for none."""
    return (slots[first : first + BLOCK] for first in range(0, len(slots), BLOCK))


def pieces(table: pa.Table) -> Iterator[pa.Table]:
    """A table in blocks; one without rows is one block, as its schema says something too."""
    return (table.slice(first, BLOCK) for first in range(0, max(1, table.num_rows), BLOCK))
