"""What kinds have in common whose windows are their bounds and nothing else: no names, no columns of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arrowflow.types import I64
from arrowflow.windows.arrays import I32, Array
from arrowflow.windows.kinds.panes import Spacing


class Plain:
    """Adds no columns, and rejects rows only where a window does not fit into 64 bits."""

    strict = False
    per_row = False
    spacing: Spacing | None = None

    def explain(self, fate: int, event_us: int) -> tuple[str, str]:
        return "out_of_range", f"event time {event_us} µs: its window does not fit into 64 bits"

    def spaced_next(self, start_us: I64, missed: I64) -> I64:
        raise AssertionError("the panes of this kind lie on no grid")

    def describe(self, label: I32, day: I32) -> list[Array]:
        return []

    def recall(self, columns: Sequence[Array]) -> tuple[I32, I32]:
        raise AssertionError("this kind of window adds no columns")

    def twins(self, label: I32) -> I64:
        return np.zeros(len(label), np.int64)
