"""One entry per pane: in growing arrays, or, where hardly any pane has one, in a dict. Knows nothing of what entries mean."""

from __future__ import annotations

import sys
from collections import defaultdict
from math import prod

import numpy as np

from arrowflow.types import I64
from arrowflow.windows.arrays import Numbers


class Lane:
    """One value (or one row of `width` values) per slot; slots never used hold `blank`.

    `values` is replaced when the lane grows: look it up when you need it, never keep it.
    """

    __slots__ = ("_blank", "values")

    def __init__(self, dtype: type, blank: object = 0, width: int | None = None) -> None:
        self._blank = blank
        shape: tuple[int, ...] = (0,) if width is None else (0, width)
        self.values: Numbers = np.empty(shape, dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken, without the Python objects it may refer to."""
        return self.values.nbytes

    @property
    def slot_bytes(self) -> int:
        """Bytes per slot."""
        return int(self.values.itemsize * prod(self.values.shape[1:]))

    def objects(self) -> list[object]:
        """The Python objects it refers to, one per slot; nothing if it holds numbers."""
        return self.values.tolist() if self.values.dtype == object else []

    def fit(self, capacity: int) -> None:
        """Grow to `capacity` slots; never shrinks."""
        if len(self.values) < capacity:
            self.values = self._spread(self.values, capacity)

    def keep(self, slots: I64) -> None:
        """Keep only `slots`, renumbered from 0 in the order given; room for up to four times as many stays."""
        held, n = np.take(self.values, slots, axis=0), len(slots)
        if len(self.values) > max(64, 4 * n):
            self.values = self._spread(held, 2 * n)
        else:
            self.values[:n], self.values[n:] = held, self._blank

    def copied(self, slots: I64, capacity: int) -> Numbers:
        """What `slots` hold, from 0 in the order given, then blanks up to `capacity`; for another lane of this kind."""
        copy = np.empty((capacity, *self.values.shape[1:]), self.values.dtype)
        copy[len(slots) :] = self._blank
        # Unlike an index, this copies straight to where it belongs; "clip" promises numpy that it need not check first.
        np.take(self.values, slots, axis=0, out=copy[: len(slots)], mode="clip")
        return copy

    def _spread(self, held: Numbers, capacity: int) -> Numbers:
        """`held`, or a longer array that begins with it."""
        if len(held) == capacity:
            return held
        shape = (capacity, *held.shape[1:])
        # The system gives zeros out without memory behind them until somebody writes there.
        wider = np.zeros(shape, held.dtype) if self._blank == 0 else np.full(shape, self._blank, held.dtype)
        wider[: len(held)] = held
        return wider


_LONGEST = sys.getsizeof(1 << 2200)


class Rare:
    """A Python integer per slot that is 0 for nearly all: only the others are kept, by slot. Used like a `Lane`."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: defaultdict[int, int] = defaultdict(int)

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken, about: each integer counts as the longest that a sum of doubles spills."""
        return sys.getsizeof(self.values) + _LONGEST * len(self.values)

    @property
    def slot_bytes(self) -> int:
        """A slot takes nothing until it holds something."""
        return 0

    def objects(self) -> list[object]:
        """`nbytes` counts them."""
        return []

    def fit(self, capacity: int) -> None:
        """There is always room."""

    def keep(self, slots: I64) -> None:
        """Keep only `slots`, renumbered from 0 in the order given."""
        self.values = self.copied(slots, len(slots))

    def copied(self, slots: I64, capacity: int) -> defaultdict[int, int]:
        """What `slots` hold, from 0 in the order given; for another lane of this kind."""
        places = self.among(slots).tolist()
        return defaultdict(int, zip(places, (self.values[slot] for slot in slots[places].tolist()), strict=True))

    def among(self, slots: I64) -> I64:
        """Which of `slots` hold something, as places in `slots`, ascending."""
        held = [slot for slot, value in self.values.items() if value]
        if not held:
            return np.empty(0, np.int64)
        return np.flatnonzero(np.isin(slots, np.array(held, np.int64)))
