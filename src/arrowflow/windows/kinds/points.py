"""Windows around single event times: sliding ones, and sessions of bounded length. A slot is one event time of a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arrowflow.types import I64, MIN_US, Bool, LateRows
from arrowflow.windows.kernels.panes import FOLD, OUT_OF_RANGE, judge_behind
from arrowflow.windows.kernels.sessions import cut_pieces, plan_trailing
from arrowflow.windows.keys import Keys
from arrowflow.windows.kinds.panes import BEHIND, Combined, Due, Held, Panes
from arrowflow.windows.kinds.plain import Plain
from arrowflow.windows.shapes import MAX_US, Session, Sliding

_WAITS, _GIVEN = 0, 1


class Points(Plain):
    """What both have in common: rows are late by their own time, before they meet any other row."""

    strict = True

    def __init__(self, before_us: int, after_us: int) -> None:
        self._before_us, self._after_us = before_us, after_us

    def assign(self, event_us: I64, parts: Sequence[I64], keys: Keys) -> Panes:
        # What ends at the last microsecond of all would wait for a clock beyond it.
        fits = (event_us >= MIN_US + self._before_us) & (event_us < MAX_US - self._after_us)
        return Panes.whole(event_us, event_us, np.where(fits, FOLD, OUT_OF_RANGE).astype(np.int8))

    def judge(self, panes: Panes, event_us: I64, clock_us: I64, lateness_us: int) -> int:
        return int(judge_behind(event_us, clock_us, lateness_us, panes.fate))

    def late(self, panes: Panes, event_us: I64, rows: I64) -> LateRows:
        """The window a row would have had alone."""
        own = event_us[rows]
        return LateRows(rows, own - self._before_us, own + self._after_us, BEHIND)

    def waits_us(self, end_us: I64, next_us: I64) -> I64 | None:
        return None

    def born_next(self, panes: Panes, rows: I64) -> I64:
        return np.full(len(rows), _WAITS, np.int64)


class SlidingKind(Points):
    """For each row the rows of its key that trail it; a slot stays until no later row can look back at it."""

    columns: Sequence[tuple[str, str]] = (("event_us", "start"), ("given_out", "next"))
    per_row = True

    def __init__(self, window: Sliding) -> None:
        super().__init__(window.size_us, 0)
        self._window = window

    def due(self, held: Held) -> Due:
        order = np.lexsort((held.start_us, held.key))
        slot, event, limit = held.slot[order], held.start_us[order], held.limit_us[order]
        waits = (held.next_us[order] == _WAITS) & (event < limit)
        into, source, at = (np.empty(4 * len(slot), np.int64) for _ in range(3))
        merges, slots = plan_trailing(
            held.key[order], event, waits, self._window.size_us, self._window.closed == "both", into, source, at
        )
        gone = self._is_forgotten(event, held.clock_us[order])
        given = np.flatnonzero(waits)
        stays = waits & ~gone
        return Due(
            slot=slot[given],
            start_us=event[given] - self._window.size_us,
            end_us=event[given],
            gone=slot[gone],
            combined=Combined(slot, int(slots), into[:merges], source[:merges]),
            at=at[given],
            moved=slot[stays],
            next_us=np.full(int(stays.sum()), _GIVEN, np.int64),
        )

    def _is_forgotten(self, event_us: I64, clock_us: I64) -> Bool:
        """Whether no row on time, which is at the clock or after it, can look back this far."""
        size = self._window.size_us
        reaches = clock_us >= MIN_US + size
        edge = np.where(reaches, clock_us - size, MIN_US)
        return np.asarray(reaches & (event_us < edge if self._window.closed == "both" else event_us <= edge))


class PiecesKind(Points):
    """Sessions with a maximal length: event times stay apart until nothing can shift the cuts between them."""

    columns: Sequence[tuple[str, str]] = (("event_us", "start"),)

    def __init__(self, window: Session) -> None:
        if window.max_length_us is None:
            raise AssertionError("sessions without a maximal length are chained")
        super().__init__(1, max(window.gap_us, window.max_length_us))
        self._gap_us, self._max_length_us = window.gap_us, window.max_length_us

    def late(self, panes: Panes, event_us: I64, rows: I64) -> LateRows:
        own = event_us[rows]
        return LateRows(rows, own, own + min(self._gap_us, self._max_length_us), BEHIND)

    def due(self, held: Held) -> Due:
        order = np.lexsort((held.start_us, held.key))
        slot, event, limit = held.slot[order], held.start_us[order], held.limit_us[order]
        piece = np.empty(len(slot), np.int64)
        cut_pieces(held.key[order], event, self._gap_us, self._max_length_us, piece)
        first = np.flatnonzero(np.diff(piece, prepend=-1))
        last = np.append(first[1:], len(slot))[: len(first)] - 1
        over = (event[last] + self._gap_us < limit[first]) | (event[first] + self._max_length_us <= limit[first])
        which = np.flatnonzero(over[piece]) if len(slot) else np.empty(0, np.int64)
        number = np.cumsum(over) - 1
        windows = int(over.sum())
        return Due(
            slot=slot[first[over]],
            start_us=event[first[over]],
            end_us=np.minimum(event[last[over]] + self._gap_us, event[first[over]] + self._max_length_us),
            gone=slot[which],
            combined=Combined(
                slot[which], len(which) + windows, number[piece[which]] + len(which), np.arange(len(which))
            ),
            at=np.arange(len(which), len(which) + windows),
        )
