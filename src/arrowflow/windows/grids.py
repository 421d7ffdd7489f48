"""Which windows there are whether or not any row falls into them. They are looked for by their ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from arrowflow.types import I64, Bool
from arrowflow.windows.arrays import I32
from arrowflow.windows.shapes import Cumulative, Hopping, Tumbling


class Stretch(NamedTuple):
    """Windows of one grid, ascending by end, then by start.

    Parameters
    ----------
    start_us, end_us : int64[m]
        Bounds, which no two windows share. Several may end at once: a week, and a day off at its end.
    label, day : int32[m]
        As in `kinds.panes.Panes`; 0 where the kind knows neither.
    expecting : bool[m]
        False where nobody is expected: intervals that a calendar calls ``off``.
    """

    start_us: I64
    end_us: I64
    label: I32
    day: I32
    expecting: Bool

    def find(self, start_us: I64, end_us: I64) -> I64:
        """The place of each of the windows with these bounds, all of which are there."""
        place = np.searchsorted(self.end_us, end_us)
        while (other := self.start_us[place] != start_us).any():
            place = place + other
            assert (self.end_us[place] == end_us).all(), "a window with rows is none of its grid"
        return np.asarray(place)


def join(stretches: Sequence[Stretch]) -> Stretch:
    """Stretches one after the other; an empty one where there are none."""
    wide, narrow = np.empty(0, np.int64), np.empty(0, np.int32)
    columns = zip(Stretch(wide, wide, narrow, narrow, np.empty(0, np.bool_)), *stretches, strict=True)
    return Stretch(*(np.concatenate(column) for column in columns))


class Grid(Protocol):
    """The windows that keys of one calendar, or all keys, have."""

    def ending(self, first_us: int, last_us: int) -> Stretch:
        """The windows whose ends are in ``[first_us, last_us]``."""


class Even:
    """Windows that end one stride apart."""

    def __init__(self, window: Tumbling | Hopping | Cumulative) -> None:
        self._window = window
        self._stride_us = window.size_us if isinstance(window, Tumbling) else window.stride_us

    def ending(self, first_us: int, last_us: int) -> Stretch:
        # In Python's integers up to the last step: bounds may lie at the ends of int64.
        window, stride = self._window, self._stride_us
        anchor = window.origin_us + (window.size_us if isinstance(window, Hopping) else 0)
        first = anchor + -(-(first_us - anchor) // stride) * stride
        if first > last_us:  # it may lie beyond int64
            return join([])
        count = (last_us - first) // stride + 1
        steps = np.arange(count, dtype=np.int64)
        end = first + steps * stride
        if isinstance(window, Cumulative):
            turn = window.size_us // stride
            length = ((steps + ((first - anchor) // stride - 1) % turn) % turn + 1) * stride
        else:
            length = np.full(count, window.size_us)
        nothing = np.zeros(count, np.int32)
        return Stretch(end - length, end, nothing, nothing, np.ones(count, np.bool_))
