"""Tumbling windows: fixed, back to back. Every instant is in exactly one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arrowflow.types import I64
from arrowflow.windows.arrays import I32, Array
from arrowflow.windows.kernels.panes import assign_tumbling
from arrowflow.windows.keys import Keys
from arrowflow.windows.kinds.panes import Panes
from arrowflow.windows.plan import Tumbling


class TumblingKind:
    """Panes of one size; nothing else to know about a window than its bounds."""

    def __init__(self, window: Tumbling) -> None:
        self._window = window

    def assign(self, event_us: I64, parts: Sequence[I64], keys: Keys) -> Panes:
        n = len(event_us)
        start, end, fate = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int8)
        assign_tumbling(event_us, self._window.size_us, self._window.origin_us, start, end, fate)
        nothing = np.zeros(n, np.int32)
        return Panes(start, end, fate, nothing, nothing)

    def explain(self, fate: int, event_us: int) -> tuple[str, str]:
        return "out_of_range", f"event time {event_us} µs: its window does not fit into 64 bits"

    def describe(self, label: I32, day: I32) -> list[Array]:
        return []

    def recall(self, columns: Sequence[Array]) -> tuple[I32, I32]:
        raise AssertionError("a tumbling window adds no columns")
