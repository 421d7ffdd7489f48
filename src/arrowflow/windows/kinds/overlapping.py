"""Hopping and cumulative windows: overlapping, put together from panes that a row goes into once.

The windows over a pane end one stride apart. A slot is a pane and how many of the first windows over it its rows came
too late for: rows that missed a window must not get into it through a pane they share with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from arrowflow.types import I64, Bool, LateRows
from arrowflow.windows.kernels.overlaps import count_windows, find_due, group_panes, order_ends, sweep_windows
from arrowflow.windows.kernels.panes import assign_cumulative, assign_hopping, judge_missed
from arrowflow.windows.keys import Keys
from arrowflow.windows.kinds.panes import BEHIND, Combined, Due, Held, Panes, Spacing
from arrowflow.windows.kinds.plain import Plain
from arrowflow.windows.order import order_of
from arrowflow.windows.pairs import Pairs
from arrowflow.windows.shapes import Cumulative, Hopping

BY_KEY, BY_END, ANYHOW = 0, 1, 2


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
        self._period_us = window.hop_us if isinstance(window, Hopping) else window.size_us
        if isinstance(window, Hopping):
            self.spacing = Spacing(window.size_us, window.hop_us, window.pane_us, window.origin_us)

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

    def spaced_next(self, start_us: I64, missed: I64) -> I64:
        hop, phase = self._stride_us, (self._window.origin_us + self._window.size_us) % self._stride_us
        first = start_us + hop - (start_us % hop - phase) % hop
        return np.asarray(first + missed * hop)

    def waits_us(self, end_us: I64, next_us: I64) -> I64 | None:
        return next_us

    def due(self, held: Held) -> Due:
        n = len(held.slot)
        which, high, last = (np.empty(n, np.int64) for _ in range(3))
        places = (held.start_us, held.next_us, held.limit_us)
        found = find_due(
            *places, self._window.size_us, self._period_us, self._window.origin_us, self._stride_us, which, high, last
        )
        which, high, last = which[:found], high[:found], last[:found]
        gone = high > last - self._stride_us
        order, first, low, high_of = _grouped(held, which, high)
        share = _shared(low, high_of, first, self._stride_us)
        if isinstance(self._window, Hopping):
            share = _by_end(share, self._stride_us)
        # Panes are copied in the order of their slots, which is that of memory, and merged across.
        place = np.append(order, np.arange(len(order), share.slots))
        return Due(
            slot=held.slot[which[order[share.pane]]],
            start_us=self._starts(share.end_us, last[order[share.pane]]),
            end_us=share.end_us,
            gone=held.slot[which[gone]],
            combined=Combined(held.slot[which], share.slots, place[share.into], place[share.source]),
            at=place[share.at],
            moved=held.slot[which[~gone]],
            next_us=high[~gone] + self._stride_us,
            ordered=share.order == BY_END,
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


class _Share(NamedTuple):
    """Which panes go into which windows, panes numbered as scratch slots are."""

    end_us: I64
    pane: I64
    """Per window one of its panes."""
    at: I64
    """Per window the scratch slot of its contents."""
    into: I64
    source: I64
    slots: int
    order: int
    """Whether windows come by key and then by end, by end and then by key, or anyhow."""


def _grouped(held: Held, which: I64, high_us: I64) -> tuple[I64, I64, I64, I64]:
    """The order of panes by key and ends, where each key's begin in it, and in it the first and last end due."""
    rank, low = held.ranks(held.key[which]), held.next_us[which]
    first, out = np.zeros(int(rank.max(initial=-1)) + 2, np.int64), tuple(np.empty_like(which) for _ in range(3))
    if group_panes(rank, low, high_us, first, *out):
        order, low, high = out
        return order, first, low, high
    order = order_of(rank, low, high_us)
    return order, first, low[order], high_us[order]


def _shared(low_us: I64, high_us: I64, first: I64, stride_us: int) -> _Share:
    """Put the windows together that are due over panes, of which the first and last due end are given."""
    n, odd = len(low_us), np.empty(len(first) - 1, np.bool_)
    count = count_windows(first, low_us, high_us, stride_us, odd)
    end, pane, at = (np.empty(count, np.int64) for _ in range(3))
    into, source = (np.empty(2 * n + 3 * count, np.int64) for _ in range(2))
    windows, merges, slots = sweep_windows(first, odd, low_us, high_us, stride_us, end, pane, at, into, source)
    assert windows == count
    share = _Share(end, pane, at, into[:merges], source[:merges], slots, BY_KEY)
    return _with_odd(share, low_us, high_us, first, odd, stride_us) if odd.any() else share


def _with_odd(share: _Share, low_us: I64, high_us: I64, first: I64, odd: Bool, stride_us: int) -> _Share:
    """Add the windows of keys whose panes do not begin and end in one order, as late rows make them: pane by pane."""
    key = np.repeat(np.arange(len(odd)), np.diff(first))
    which = np.flatnonzero(odd[key])
    count = (high_us[which] - low_us[which]) // stride_us + 1
    pane = np.repeat(which, count)
    nth = np.arange(len(pane)) - np.repeat(np.cumsum(count) - count, count)
    end = low_us[pane] + nth * stride_us
    window, born = Pairs().intern(key[pane], end, np.zeros(len(pane), np.int8))
    return _Share(
        np.concatenate([share.end_us, end[born]]),
        np.concatenate([share.pane, pane[born]]),
        np.concatenate([share.at, share.slots + np.arange(len(born))]),
        np.concatenate([share.into, share.slots + window]),
        np.concatenate([share.source, pane]),
        share.slots + len(born),
        ANYHOW,
    )


def _by_end(share: _Share, stride_us: int) -> _Share:
    """The windows by end, those of one end by key, where that takes no sort."""
    order = np.empty(len(share.end_us), np.int64)
    if share.order != BY_KEY or not order_ends(share.end_us, stride_us, order):
        return share
    return share._replace(end_us=share.end_us[order], pane=share.pane[order], at=share.at[order], order=BY_END)
