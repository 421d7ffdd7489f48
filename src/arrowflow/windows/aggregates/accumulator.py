"""The door between the state and what it accumulates per pane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from arrowflow.types import I64
from arrowflow.windows.arrays import Array, Field
from arrowflow.windows.columns import Columns
from arrowflow.windows.lanes import Lane


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one partition on their way into panes.

    Parameters
    ----------
    slot : int64[n]
        The pane of each row, -1 for rows that are late or rejected.
    columns : Columns
        Their values.
    event_us, offset : int64[n]
        Event times and offsets, offsets ascending.
    feeder : int
        Number of the partition.
    panes : int
        How many slots are in use.
    """

    slot: I64
    columns: Columns
    event_us: I64
    offset: I64
    feeder: int
    panes: int


class Accumulator(Protocol):
    """What is kept of one column per open pane, in lanes that grow with the state."""

    @property
    def lanes(self) -> Sequence[Lane]:
        """Its arrays, one entry per slot; the state grows and compacts them."""

    @property
    def fields(self) -> Sequence[Field]:
        """Its columns in the table of the state."""

    def fold(self, rows: Slice) -> None:
        """Take rows in; any order gives the same."""

    def finish(self, function: str, slots: I64, place: Callable[[int], str]) -> Array:
        """The result of `function` for each slot; ``place(slot)`` names a window in an error message."""

    def dump(self, slots: I64) -> list[Array]:
        """What it holds for `slots`, as `fields` says; equal contents give equal bytes."""

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        """Replace what it holds for `slots`: the inverse of `dump`."""
