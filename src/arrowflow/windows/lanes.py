"""Growing arrays with one entry per pane. A lane knows nothing of what its entries mean."""

from __future__ import annotations

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
        """Keep only `slots`, renumbered from 0 in the order given."""
        self.values = self._spread(self.values[slots], len(slots))

    def copied(self, slots: I64, capacity: int) -> Numbers:
        """What `slots` hold, from 0 in the order given, then blanks up to `capacity`; for another lane of this kind."""
        return self._spread(self.values[slots], capacity)

    def _spread(self, held: Numbers, capacity: int) -> Numbers:
        """`held`, or a longer array that begins with it."""
        if len(held) == capacity:
            return held
        shape = (capacity, *held.shape[1:])
        # The system gives zeros out without memory behind them until somebody writes there.
        wider = np.zeros(shape, held.dtype) if self._blank == 0 else np.full(shape, self._blank, held.dtype)
        wider[: len(held)] = held
        return wider
