"""What a kind of window says about rows: a pane each, or why not. Holds no state of windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from arrowflow.types import I64
from arrowflow.windows.arrays import I8, I32, Array
from arrowflow.windows.keys import Keys


@dataclass(frozen=True, slots=True)
class Panes:
    """The window of each row.

    Parameters
    ----------
    start_us, end_us : int64[n]
        ``[start, end)`` in microseconds; anything where `fate` is a reason to reject.
    fate : int8[n]
        `FOLD` or a reason to reject (`kernels.panes`); lateness is judged later.
    label, day : int32[n]
        What else the kind knows of a window: the number of its name and its production day; all zero if nothing.
    """

    start_us: I64
    end_us: I64
    fate: I8
    label: I32
    day: I32


class Kind(Protocol):
    """The working part of a kind of window, built for one operator."""

    def assign(self, event_us: I64, parts: Sequence[I64], keys: Keys) -> Panes:
        """Give each row its pane; `parts` number the values of each key column in `keys`."""

    def explain(self, fate: int, event_us: int) -> tuple[str, str]:
        """Return (reason, detail) for a row rejected with `fate`."""

    def describe(self, label: I32, day: I32) -> list[Array]:
        """The result columns the kind adds, one entry per window."""

    def recall(self, columns: Sequence[Array]) -> tuple[I32, I32]:
        """The inverse of `describe`; raises `StateRefused` for a name the kind does not know."""
