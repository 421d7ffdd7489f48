"""Tumbling windows: fixed, back to back. Every instant is in exactly one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arrowflow.types import I64
from arrowflow.windows.kernels.panes import assign_tumbling
from arrowflow.windows.keys import Keys
from arrowflow.windows.kinds.panes import Panes, Spacing
from arrowflow.windows.kinds.whole import Whole
from arrowflow.windows.shapes import Tumbling


class TumblingKind(Whole):
    """Panes of one size; nothing else to know about a window than its bounds."""

    def __init__(self, window: Tumbling) -> None:
        self._window = window
        self.spacing = Spacing(window.size_us, window.size_us, window.size_us, window.origin_us)

    def assign(self, event_us: I64, parts: Sequence[I64], keys: Keys) -> Panes:
        n = len(event_us)
        start, end, fate = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int8)
        assign_tumbling(event_us, self._window.size_us, self._window.origin_us, start, end, fate)
        return Panes.whole(start, end, fate)

    def spaced_next(self, start_us: I64, missed: I64) -> I64:
        return np.zeros(len(start_us), np.int64)
