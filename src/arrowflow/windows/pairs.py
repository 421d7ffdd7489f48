"""Dense numbers for pairs of integers. Never forgets a pair by itself and never hands a number out twice."""

from __future__ import annotations

import numpy as np

from arrowflow.types import I64
from arrowflow.windows.arrays import I8, I32, U64, ready
from arrowflow.windows.kernels.pairs import U64x3, forget_pairs, index_pairs, intern_pairs, place_rows
from arrowflow.windows.room import Admit, freely

_DEAD = np.uint64(2**64 - 1)
_MOST_LINES = 1 << 16
"""Lines beyond the processor's second cache cost a row what they save it."""


class Pairs:
    """An open-addressing table (left, right) -> 0, 1, 2 …, in order of appearance.

    Left parts are never negative: a bit pattern of all ones marks a pair that is gone.
    """

    def __init__(self) -> None:
        self._left: U64 = np.empty(0, np.uint64)
        self._right: U64 = np.empty(0, np.uint64)
        self._index: I32 = np.full(2, -1, np.int32)
        self._near: U64x3 = _blank(2)
        self.used = 0
        self.admit: Admit = freely

    @property
    def left(self) -> I64:
        """Left parts by number; -1 where the pair is gone."""
        return self._left[: self.used].view(np.int64)

    @property
    def right(self) -> I64:
        """Right parts by number."""
        return self._right[: self.used].view(np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken."""
        return sum(each.nbytes for each in (self._left, self._right, self._index, self._near))

    def intern(self, left: I64, right: I64, fate: I8) -> tuple[I64, I64]:
        """Number each pair.

        Parameters
        ----------
        left, right : int64[n]
            The pairs.
        fate : int8[n]
            Rows other than 0 get -1 and leave no trace.

        Returns
        -------
        number : int64[n]
            The pair's number, or -1.
        born : int64[m]
            For each new number, ascending, the row that brought it.
        """
        before, row = self.used, 0
        number, births = np.empty(len(left), np.int64), []
        left, right = ready(left, np.int64), ready(right, np.int64)
        while True:
            born = np.empty(len(self._left), np.int64)
            row, used = intern_pairs(
                left.view(np.uint64),
                right.view(np.uint64),
                fate,
                row,
                self.used,
                number,
                born,
                self._near,
                self._index,
                self._left,
                self._right,
            )
            births.append(born[self.used : used])
            self.used = used
            if row == len(left):
                break
            self._grow()
        assert self.used - before == sum(map(len, births))
        return number, np.concatenate(births)

    def place(self, code: I32, number: I64, event_us: I64, clock_us: I64, spacing: I64, slot: I64) -> tuple[int, int]:
        """Number the panes of rows where panes lie on one grid for all keys, in one pass.

        Parameters
        ----------
        code, number, event_us, clock_us, spacing, slot : int32[n] or int32[0], int64[k], int64[n] and int64[5]
            As in `kernels.pairs.place_rows`.

        Returns
        -------
        others, lost : int
            How many rows are not plainly folded, and how many of those have no pane.
        """
        row, others, lost = 0, 0, 0
        while True:
            held = (self._near, self._index, self._left, self._right)
            row, self.used, more, gone = place_rows(
                event_us, clock_us, code, number, spacing, row, self.used, slot, *held
            )
            others, lost = others + more, lost + gone
            if row == len(event_us):
                return others, lost
            self._grow()

    def forget(self, numbers: I64) -> None:
        """Mark pairs as gone: their numbers stay taken and match nothing, until `keep`."""
        forget_pairs(ready(numbers, np.int64), self._near, self._left)

    def keep(self, numbers: I64, left: I64) -> None:
        """Keep only `numbers`, renumbered from 0 in the order given, with new left parts."""
        right, self.used = self._right[numbers], len(numbers)
        if len(self._left) > max(64, 4 * self.used):
            self._left, self._right = (np.empty(2 * self.used, np.uint64) for _ in range(2))
        self._left[: self.used], self._right[: self.used] = left.view(np.uint64), right
        self._reindex()

    def _grow(self) -> None:
        self.admit(2 * self.nbytes)  # what it has stays until it was moved
        capacity = max(16, 2 * len(self._left))
        self._left = np.resize(self._left, capacity) if self.used else np.zeros(capacity, np.uint64)
        self._right = np.resize(self._right, capacity) if self.used else np.zeros(capacity, np.uint64)
        self._reindex()

    def _reindex(self) -> None:
        size = 2
        while size < 2 * len(self._left):
            size *= 2
        self._index = np.full(size, -1, np.int32)
        self._near = _blank(min(size, _MOST_LINES))
        index_pairs(self._left, self._right, self.used, self._index)


def _blank(lines: int) -> U64x3:
    return np.full((lines, 3), _DEAD, np.uint64)
