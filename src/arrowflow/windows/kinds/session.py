"""Sessions without a maximal length: they grow, and merge when a row bridges two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arrowflow.types import I64, LateRows
from arrowflow.windows.kinds.panes import BEHIND, Due, Held, Panes
from arrowflow.windows.kinds.points import Points
from arrowflow.windows.shapes import MAX_US, Session


class SessionKind(Points):
    """A slot is an open session; which one a row joins is for the state's chains to say."""

    columns: Sequence[tuple[str, str]] = (("window_start_us", "start"), ("window_end_us", "end"))

    def __init__(self, window: Session) -> None:
        super().__init__(window.gap_us, window.gap_us)
        self._gap_us = window.gap_us

    def late(self, panes: Panes, event_us: I64, rows: I64) -> LateRows:
        own = event_us[rows]
        return LateRows(rows, own, own + self._gap_us, BEHIND)

    def waits_us(self, end_us: I64, next_us: I64) -> I64 | None:
        return np.minimum(end_us, MAX_US - 1) + 1

    def due(self, held: Held) -> Due:
        over = held.end_us < held.limit_us
        return Due(held.slot[over], held.start_us[over], held.end_us[over], gone=held.slot[over])
