"""The door between the state and what it accumulates per pane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from arrowflow.types import I64, Bool
from arrowflow.windows.arrays import Array, Field, Numbers
from arrowflow.windows.columns import Columns
from arrowflow.windows.lanes import Lane, Rare
from arrowflow.windows.plan import PlannedAggregate


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


@dataclass(frozen=True, slots=True)
class Before:
    """The last value known before each of m windows, for aggregates of the ordered family.

    Parameters
    ----------
    event_us, bits : int64[m]
        When it was measured, and its bit pattern; anything where `known` is false.
    known : bool[m]
        False where no value came before the window; `finish` lets it expire.
    text : object[m] or None
        The strings, for a column of strings; then `bits` mean nothing.
    """

    event_us: I64
    bits: I64
    known: Bool
    text: Numbers | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows to finish: where the contents of each lie, and what an error message calls it.

    Parameters
    ----------
    slot : int64[m]
        Where each window's contents lie.
    start_us, end_us : int64[m]
        Its bounds, half-open.
    place : callable
        ``place(i)`` names the i-th window in an error message.
    before : mapping of str to Before
        By the name of an ordered accumulator.
    """

    slot: I64
    start_us: I64
    end_us: I64
    place: Callable[[int], str]
    before: Mapping[str, Before] = field(default_factory=dict)


class Accumulator(Protocol):
    """What is kept of one column per open pane, in lanes that grow with the state.

    All it holds is in its lanes: the state copies, moves and blanks panes lane by lane. So an object in a lane is
    never changed in place by `merge`: two slots may hold the same one.
    """

    @property
    def lanes(self) -> Sequence[Lane | Rare]:
        """Its arrays, one entry per slot; the state grows, copies and compacts them."""

    @property
    def fields(self) -> Sequence[Field]:
        """Its columns in the table of the state."""

    def fold(self, rows: Slice) -> None:
        """Take rows in; any order gives the same."""

    def merge(self, into: I64, source: I64) -> None:
        """Add what slot ``source[i]`` holds to slot ``into[i]``, one i after the other; sources keep what they hold.

        A blank slot holds nothing, and stays or becomes what the other one is. A slot may appear on both sides.
        """

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        """The result for each window, of type ``aggregate.output``."""

    def dump(self, slots: I64) -> list[Array]:
        """What it holds for `slots`, as `fields` says; equal contents give equal bytes."""

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        """Replace what it holds for `slots`: the inverse of `dump`."""
