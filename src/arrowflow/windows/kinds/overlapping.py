"""Hopping and cumulative windows: overlapping, put together from panes that a row goes into once.

The windows over a pane end one stride apart. A slot is a pane and how many of the first windows over it its rows came
too late for: rows that missed a window must not get into it through a pane they share with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from arrowflow.types import I64, LateRows
from arrowflow.windows.arrays import ready
from arrowflow.windows.kernels.panes import NO_WINDOW, assign_cumulative, assign_hopping, judge_missed
from arrowflow.windows.keys import Keys
from arrowflow.windows.kinds.panes import BEHIND, Combined, Due, Held, Panes
from arrowflow.windows.kinds.plain import Plain
from arrowflow.windows.pairs import Pairs
from arrowflow.windows.shapes import Cumulative, Hopping


class Overlapping(Plain):
    """Panes under windows that end every `stride` microseconds."""

    columns: Sequence[tuple[str, str]] = (
        ("pane_start_us", "start"),
        ("pane_end_us", "end"),
        ("missed", "missed"),
        ("next_end_us", "next"),
    )

    def __init__(self, window: Hopping | Cumulative) -> None:
        self._window = window
        self._stride_us = window.hop_us if isinstance(window, Hopping) else window.step_us

    def assign(self, event_us: I64, parts: Sequence[I64], keys: Keys) -> Panes:
        n, window = len(event_us), self._window
        start, end, first, last = (np.empty(n, np.int64) for _ in range(4))
        fate = np.empty(n, np.int8)
        out = (start, end, first, last, fate)
        if isinstance(window, Hopping):
            assign_hopping(event_us, window.size_us, window.hop_us, window.pane_us, window.origin_us, *out)
        else:
            assign_cumulative(event_us, window.size_us, window.step_us, window.origin_us, *out)
        return Panes(start, end, fate, None, None, first, last, np.empty(n, np.int64))

    def judge(self, panes: Panes, event_us: I64, clock_us: I64, lateness_us: int) -> int:
        out = (self._missed(panes), panes.fate)
        return int(judge_missed(panes.first_us, panes.last_us, clock_us, self._stride_us, lateness_us, *out))

    def late(self, panes: Panes, event_us: I64, rows: I64) -> LateRows:
        """All the windows missed, from the start of the first to the end of the last."""
        missed = self._missed(panes)[rows]
        last = np.where(missed == 0, panes.last_us[rows], panes.first_us[rows] + (missed - 1) * self._stride_us)
        return LateRows(rows, self._starts(panes.first_us[rows], panes.last_us[rows]), last, BEHIND)

    def born_next(self, panes: Panes, rows: I64) -> I64:
        return np.asarray(panes.first_us[rows] + self._missed(panes)[rows] * self._stride_us)

    def due(self, held: Held) -> Due:
        last = self._last_ends(held.start_us)
        up_to = np.minimum(held.limit_us, last)
        which = np.flatnonzero(up_to >= held.next_us)
        count = (up_to[which] - held.next_us[which]) // self._stride_us + 1
        share = _spread(held, which, count, self._stride_us)
        ends = held.next_us[which] + count * self._stride_us
        gone = ends > last[which]
        window = share.window
        return Due(
            slot=held.slot[share.pane[share.born]],
            start_us=self._starts(share.end_us[share.born], last[share.pane[share.born]]),
            end_us=share.end_us[share.born],
            gone=held.slot[which[gone]],
            combined=Combined(held.slot[which], len(which) + len(share.born), window + len(which), share.place),
            at=np.arange(len(which), len(which) + len(share.born)),
            moved=held.slot[which[~gone]],
            next_us=ends[~gone],
        )

    def explain(self, fate: int, event_us: int) -> tuple[str, str]:
        return "out_of_range", f"event time {event_us} µs: its windows do not fit into 64 bits"

    @staticmethod
    def _missed(panes: Panes) -> I64:
        assert panes.missed is not None
        return panes.missed

    def _starts(self, end_us: I64, last_us: I64) -> I64:
        """Starts of windows from their ends and the ends of the last windows over their panes."""
        return np.asarray((end_us if isinstance(self._window, Hopping) else last_us) - self._window.size_us)

    def _last_ends(self, start_us: I64) -> I64:
        """End of the last window over each pane."""
        panes = self.assign(ready(start_us, np.int64), (), Keys(()))
        assert not (panes.fate == NO_WINDOW).any()
        return panes.last_us


class _Share(NamedTuple):
    """Which panes go into which windows, one entry per pair."""

    pane: I64
    """Index into what was held."""
    place: I64
    """Index among the panes that have something due."""
    end_us: I64
    window: I64
    born: I64
    """For each window the first entry that is its."""


def _spread(held: Held, which: I64, count: I64, stride_us: int) -> _Share:
    place = np.repeat(np.arange(len(which)), count)
    nth = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    end_us = held.next_us[which][place] + nth * stride_us
    window, born = Pairs().intern(held.key[which][place], end_us, np.zeros(len(place), np.int8))
    return _Share(which[place], place, end_us, window, born)
