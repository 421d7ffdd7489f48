"""The door between a kind of window and the operator: what a kind says about rows, and about windows to give out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from arrowflow.types import I64, LateRows
from arrowflow.windows.arrays import I8, I32, Array
from arrowflow.windows.keys import Keys

BEHIND, MISSED, BEYOND = "behind_clock", "missed_windows", "beyond_correction"


@dataclass(frozen=True, slots=True)
class Panes:
    """The pane of each row: a stretch of time whose rows go into the same windows.

    Parameters
    ----------
    start_us, end_us : int64[n]
        The pane's bounds in microseconds; anything where `fate` is a reason to reject.
    fate : int8[n]
        `FOLD` or a reason to reject (`kernels.panes`); `Kind.judge` adds `LATE`.
    label, day : int32[n] or None
        What else the kind knows of a window: the number of its name and its production day; None if nothing.
    first_us, last_us : int64[n]
        Ends of the first and last window over the pane; the pane's own end where each pane is a window.
    missed : int64[n] or None
        How many windows over the pane the row came too late for, filled in by `Kind.judge`; None where a pane is a window.
    twin : int64[n] or None
        1 for panes that may begin together with another pane of their key, 0 for the others; None where starts tell
        panes apart.
    """

    start_us: I64
    end_us: I64
    fate: I8
    label: I32 | None
    day: I32 | None
    first_us: I64
    last_us: I64
    missed: I64 | None = None
    twin: I64 | None = None

    @classmethod
    def whole(
        cls,
        start_us: I64,
        end_us: I64,
        fate: I8,
        label: I32 | None = None,
        day: I32 | None = None,
        twin: I64 | None = None,
    ) -> Panes:
        """Panes that are windows themselves."""
        return cls(start_us, end_us, fate, label, day, end_us, end_us, twin=twin)


class Spacing(NamedTuple):
    """Windows and panes that lie on one grid for all keys, all in microseconds.

    Window starts are `origin_us` plus multiples of `hop_us`; so do those of panes lie, `pane_us` apart.
    """

    size_us: int
    hop_us: int
    pane_us: int
    origin_us: int


@dataclass(frozen=True, slots=True)
class Held:
    """Slots of the state that a kind is asked about, in no order.

    Parameters
    ----------
    slot, key : int64[m]
        Numbers of the slots and of their group keys.
    start_us, end_us : int64[m]
        The pane's bounds, or the event times of a session's first row and of its last row plus the gap.
    next_us : int64[m]
        What the kind wrote there when the pane was born, or later through `Due.next_us`.
    limit_us : int64[m]
        What decides what is due: the clock of each slot less the allowed lateness, or the end of time where windows
        are closed before their time.
    clock_us : int64[m]
        The clock less the allowed lateness in any case: no row on time will lie before it.
    ranks : callable
        ``ranks(keys)`` gives the places of keys in the order of their values: small, and comparable within one call.
    """

    slot: I64
    key: I64
    start_us: I64
    end_us: I64
    next_us: I64
    limit_us: I64
    clock_us: I64
    ranks: Callable[[I64], I64]


@dataclass(frozen=True, slots=True)
class Combined:
    """How windows are put together in scratch slots: the contents of `copied`, then blanks, merged in order.

    Parameters
    ----------
    copied : int64[c]
        Slots of the state that are copied to scratch slots 0 to c - 1.
    slots : int
        Scratch slots in all; those from c on are blank.
    into, source : int64[o]
        Merge scratch slot ``source[i]`` into ``into[i]``, one i after the other.
    """

    copied: I64
    slots: int
    into: I64
    source: I64


@dataclass(frozen=True, slots=True)
class Due:
    """Windows to give out, and what becomes of the slots behind them.

    Parameters
    ----------
    slot : int64[w]
        A slot of each window: it says the key, the feeder, the label. Contents lie there unless `combined` is given.
    start_us, end_us : int64[w]
        Bounds of the windows.
    gone : int64[g]
        Slots that no later window needs.
    combined : Combined or None
        How contents of several slots become windows.
    at : int64[w]
        Scratch slot of each window's contents, where `combined` is given.
    moved, next_us : int64[v]
        Slots that stay, and the new value of their `Held.next_us`.
    ordered : bool
        Whether the windows are in the order of their start, key and end already.
    """

    slot: I64
    start_us: I64
    end_us: I64
    gone: I64
    combined: Combined | None = None
    at: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    moved: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    next_us: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    ordered: bool = False


class Kind(Protocol):
    """The working part of a kind of window, built for one operator."""

    columns: Sequence[tuple[str, str]]
    """Columns of the state that say which pane a row is, as (column, what it holds): start, end, missed or next; or
    bound, an end that tells panes apart which begin together."""
    strict: bool
    """Whether the last clock that still takes rows is the window's end itself."""
    per_row: bool
    """Whether each row has a result row of its own: sliding windows."""
    spacing: Spacing | None
    """Where panes lie, if that is the same for all keys: then rows are placed in one pass, without `assign` and `judge`."""

    def assign(self, event_us: I64, parts: Sequence[I64], keys: Keys) -> Panes:
        """Give each row its pane; `parts` number the values of each key column in `keys`."""

    def judge(self, panes: Panes, event_us: I64, clock_us: I64, lateness_us: int) -> int:
        """Mark rows that are late for all their windows, count windows missed; return how many rows are not plainly folded."""

    def late(self, panes: Panes, event_us: I64, rows: I64) -> LateRows:
        """The windows that late `rows` came too late for."""

    def born_next(self, panes: Panes, rows: I64) -> I64:
        """What `Held.next_us` starts with for panes born of `rows`."""

    def spaced_next(self, start_us: I64, missed: I64) -> I64:
        """The same for panes that begin at `start_us` and whose rows have missed so many windows, if there is `spacing`."""

    def due(self, held: Held) -> Due:
        """Windows that no row on time can still change, given the limit of each slot; changes nothing."""

    def waits_us(self, end_us: I64, next_us: I64) -> I64 | None:
        """Per slot the least limit at which it has something due or is gone; None where its bounds do not say so."""

    def explain(self, fate: int, event_us: int) -> tuple[str, str]:
        """Return (reason, detail) for a row rejected with `fate`."""

    def describe(self, label: I32, day: I32) -> list[Array]:
        """The result columns the kind adds, one entry per window."""

    def recall(self, columns: Sequence[Array]) -> tuple[I32, I32]:
        """The inverse of `describe`; raises `StateRefused` for a name the kind does not know."""

    def twins(self, label: I32) -> I64:
        """What `Panes.twin` is for panes with these labels; 0 where it is None."""
