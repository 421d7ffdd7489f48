"""Where panes sit: slots by key and pane, found again by hashing or, for sessions, by walking a chain.

A slot is taken in order and marked when its pane is gone; the state moves open ones together now and then.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from arrowflow.types import I64, MIN_US
from arrowflow.windows.arrays import ready
from arrowflow.windows.kernels.pairs import KEY_BITS
from arrowflow.windows.kernels.panes import FOLD
from arrowflow.windows.kernels.sessions import (
    FIRST,
    HOLDER,
    LAST,
    NEWER,
    NOBODY,
    OLDER,
    SESSION_WIDTH,
    follow_merges,
    join_sessions,
    leave_sessions,
)
from arrowflow.windows.keys import Coded
from arrowflow.windows.kinds.panes import Panes
from arrowflow.windows.lanes import Lane
from arrowflow.windows.pairs import Pairs
from arrowflow.windows.room import Admit, freely


class Seated(NamedTuple):
    """The slot of each row, and what happened to slots on the way.

    `born` names for each new slot, ascending, the row that took it; slot ``source[i]`` was absorbed by ``into[i]``.
    """

    slot: I64
    born: I64
    into: I64
    source: I64


class Seats(Protocol):
    """Slots and the panes that sit in them."""

    @property
    def used(self) -> int:
        """How many slots were taken, those of panes that are gone among them."""

    @property
    def key(self) -> I64:
        """Group key number by slot, -1 where the pane is gone."""

    @property
    def start_us(self) -> I64:
        """Where the pane starts, by slot."""

    @property
    def end_us(self) -> I64:
        """Where the pane ends, by slot."""

    @property
    def missed(self) -> I64:
        """How many of the first windows over the pane its rows came too late for, or its twin number, by slot."""

    def seat(self, key: I64, panes: Panes, event_us: I64) -> Seated:
        """Find or take a slot for each row whose fate is 0; the others get -1 and leave no trace."""

    def take(self, key: I64, start_us: I64, end_us: I64, missed: I64) -> None:
        """Take slots, in order, for panes known to be distinct and new; `link` comes before the next `seat`."""

    def link(self) -> None:
        """Let slots taken be found."""

    def forget(self, slots: I64) -> None:
        """Mark panes as gone."""

    def keep(self, slots: I64, key: I64) -> None:
        """Keep only `slots`, renumbered from 0 in the order given, with new key numbers."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken."""

    def watch(self, admit: Admit) -> None:
        """Ask before growing."""


class Hashed:
    """Panes whose bounds are known from the row alone: (key, missed or twin, start) hashed."""

    def __init__(self) -> None:
        self._pairs = Pairs()
        self._key, self._end_us = Lane(np.int64, NOBODY), Lane(np.int64)

    @property
    def used(self) -> int:
        return self._pairs.used

    @property
    def key(self) -> I64:
        return np.asarray(self._key.values[: self.used])

    @property
    def start_us(self) -> I64:
        return self._pairs.right

    @property
    def end_us(self) -> I64:
        return np.asarray(self._end_us.values[: self.used])

    @property
    def missed(self) -> I64:
        return np.asarray(self._pairs.left >> KEY_BITS)

    def seat(self, key: I64, panes: Panes, event_us: I64) -> Seated:
        apart = panes.missed if panes.twin is None else panes.twin
        left = key if apart is None else key + (apart << KEY_BITS)
        slot, born = self._pairs.intern(left, panes.start_us, panes.fate)
        if len(born):
            self._fit()
            fresh = slice(self.used - len(born), self.used)
            self._key.values[fresh], self._end_us.values[fresh] = key[born], panes.end_us[born]
        return Seated(slot, born, _none(), _none())

    def place(self, keys: Coded, event_us: I64, clock_us: I64, spacing: I64, slot: I64) -> tuple[int, int]:
        """Find or take a slot for each row, as `kernels.pairs.place_rows` does.

        Returns
        -------
        others, lost : int
            How many rows are not plainly folded, and how many of those have no slot.
        """
        before = self.used
        told = self._pairs.place(*keys, event_us, clock_us, spacing, slot)
        if self.used > before:
            self._fit()
            fresh = slice(before, self.used)
            self._key.values[fresh] = self._pairs.left[fresh] & ((1 << KEY_BITS) - 1)
            self._end_us.values[fresh] = self._pairs.right[fresh] + spacing[2]
        return told

    def take(self, key: I64, start_us: I64, end_us: I64, missed: I64) -> None:
        before = self.used
        self._pairs.intern(key + (missed << KEY_BITS), start_us, np.zeros(len(key), np.int8))
        self._fit()
        self._key.values[before : self.used], self._end_us.values[before : self.used] = key, end_us

    def link(self) -> None:
        """They are found already."""

    def forget(self, slots: I64) -> None:
        self._pairs.forget(slots)
        self._key.values[slots] = NOBODY

    def keep(self, slots: I64, key: I64) -> None:
        left = key + (self.missed[slots] << KEY_BITS)
        self._end_us.keep(slots)
        self._key.keep(slots)
        self._key.values[: len(key)] = key
        self._pairs.keep(slots, left)

    @property
    def nbytes(self) -> int:
        return self._pairs.nbytes + self._key.values.nbytes + self._end_us.values.nbytes

    def watch(self, admit: Admit) -> None:
        self._pairs.admit = admit

    def _fit(self) -> None:
        if self.used > len(self._end_us.values):
            for lane in (self._key, self._end_us):
                lane.fit(max(16, 2 * self.used))


class Chained:
    """Open sessions: per key a chain from the latest to the earliest, which rows walk until they are near enough."""

    def __init__(self, gap_us: int) -> None:
        self._gap_us = gap_us
        self._newest = Lane(np.int64, NOBODY)
        self._sessions = Lane(np.int64, NOBODY, SESSION_WIDTH)
        self._admit: Admit = freely
        self.used = 0

    @property
    def key(self) -> I64:
        return self._column(HOLDER)

    @property
    def start_us(self) -> I64:
        return self._column(FIRST)

    @property
    def end_us(self) -> I64:
        return np.asarray(self._column(LAST) + self._gap_us)

    @property
    def missed(self) -> I64:
        return np.zeros(self.used, np.int64)

    def seat(self, key: I64, panes: Panes, event_us: I64) -> Seated:
        n, row, merges, before = len(key), 0, 0, self.used
        folded = np.where(panes.fate == FOLD, key, NOBODY)
        slot, merged, births = np.empty(n, np.int64), np.empty((n, 2), np.int64), []
        self._fit_keys(key)
        while True:
            born = np.empty(len(self._sessions.values), np.int64)
            start, held = self.used, (self._newest.values, self._sessions.values)
            row, self.used, merges = join_sessions(
                folded, event_us, self._gap_us, row, start, merges, *held, slot, merged, born
            )
            births.append(born[start : self.used])
            if row == n:
                break
            self._admit(2 * self._sessions.values.nbytes)
            self._sessions.fit(max(16, 2 * self.used))
        follow_merges(slot, merged[:merges], np.arange(self.used))
        assert self.used - before == sum(map(len, births))
        into, source = (ready(merged[:merges, side]) for side in (0, 1))
        return Seated(slot, np.concatenate(births), into, source)

    def take(self, key: I64, start_us: I64, end_us: I64, missed: I64) -> None:
        before = self.used
        self.used += len(key)
        if self.used > len(self._sessions.values):
            self._sessions.fit(max(16, self.used, 2 * before))
        fresh = self._sessions.values[before : self.used]
        fresh[:, HOLDER], fresh[:, FIRST], fresh[:, LAST] = key, start_us, end_us - self._gap_us

    def link(self) -> None:
        self._chain()

    def forget(self, slots: I64) -> None:
        leave_sessions(ready(slots, np.int64), self._newest.values, self._sessions.values)

    def keep(self, slots: I64, key: I64) -> None:
        number = np.full(self.used + 1, NOBODY)  # the last one is that of nobody
        number[slots] = np.arange(len(slots))
        self._sessions.keep(slots)
        self.used = len(slots)
        held = self._sessions.values[: self.used]
        held[:, HOLDER], held[:, OLDER], held[:, NEWER] = key, number[held[:, OLDER]], number[held[:, NEWER]]
        latest = np.flatnonzero((held[:, NEWER] == NOBODY) & (held[:, FIRST] != MIN_US))
        self._newest = Lane(np.int64, NOBODY)
        self._fit_keys(key)
        self._newest.values[key[latest]] = latest

    @property
    def nbytes(self) -> int:
        return self._sessions.values.nbytes + self._newest.values.nbytes

    def watch(self, admit: Admit) -> None:
        self._admit = admit

    def _column(self, which: int) -> I64:
        return np.asarray(self._sessions.values[: self.used, which])

    def _fit_keys(self, key: I64) -> None:
        most = int(key.max(initial=-1)) + 1
        if most > len(self._newest.values):
            self._newest.fit(max(16, 2 * most))

    def _chain(self) -> None:
        """Link the open sessions of each key anew, in the order of time."""
        # What starts at minus infinity is no session but what the state carries for a key.
        slots = np.flatnonzero((self.key != NOBODY) & (self.start_us != MIN_US))
        slots = slots[np.lexsort((self.start_us[slots], self.key[slots]))]
        key = self.key[slots]
        self._fit_keys(self.key)
        self._newest.values[:] = NOBODY
        self._newest.values[key] = slots  # ascending in time: the last one written is the latest
        same = key[1:] == key[:-1]
        sessions = self._sessions.values
        sessions[:, OLDER], sessions[:, NEWER] = NOBODY, NOBODY
        sessions[slots[1:][same], OLDER] = slots[:-1][same]
        sessions[slots[:-1][same], NEWER] = slots[1:][same]


def _none() -> I64:
    return np.empty(0, np.int64)
