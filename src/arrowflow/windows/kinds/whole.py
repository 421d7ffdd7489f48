"""What kinds have in common whose panes are windows: one slot per window, late and due by the window's end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arrowflow.types import I64, LateRows
from arrowflow.windows.kernels.panes import judge_late
from arrowflow.windows.kinds.panes import BEHIND, Due, Held, Panes
from arrowflow.windows.kinds.plain import Plain


class Whole(Plain):
    """A window is one pane; whoever comes at or after its end by the clock is late for it."""

    columns: Sequence[tuple[str, str]] = (("window_start_us", "start"), ("window_end_us", "end"))

    def judge(self, panes: Panes, event_us: I64, clock_us: I64, lateness_us: int) -> int:
        return int(judge_late(panes.end_us, clock_us, lateness_us, panes.fate))

    def late(self, panes: Panes, event_us: I64, rows: I64) -> LateRows:
        return LateRows(rows, panes.start_us[rows], panes.end_us[rows], BEHIND)

    def born_next(self, panes: Panes, rows: I64) -> I64:
        return np.zeros(len(rows), np.int64)

    def waits_us(self, end_us: I64, next_us: I64) -> I64 | None:
        return end_us

    def due(self, held: Held) -> Due:
        over = held.end_us <= held.limit_us
        return Due(held.slot[over], held.start_us[over], held.end_us[over], gone=held.slot[over])
