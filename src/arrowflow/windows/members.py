"""The expected keys of a roster as dense numbers, and which of them, and which count, a group key belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.types import I64
from arrowflow.windows.arrays import Array
from arrowflow.windows.keys import Keys
from arrowflow.windows.roster import PlannedRoster

NOBODY = -1


class Part(NamedTuple):
    """The members and scopes that have one grid of windows, both consecutive.

    Parameters
    ----------
    members, scopes : range
        Their numbers.
    first : int64[scopes]
        Place of the first member of each scope within the part.
    scope_of : int64[members]
        Place of each member's scope within the part.
    """

    members: range
    scopes: range
    first: I64
    scope_of: I64

    @property
    def size(self) -> I64:
        """How many members each scope has."""
        return np.diff(self.first, append=len(self.members))


class Members:
    """Expected keys, numbered so that those counted together, and those with the same windows, follow each other.

    A *scope* is what is counted together: the keys of equal values in the columns named by ``Roster.per``.
    """

    def __init__(self, roster: PlannedRoster, *, by_calendar: bool) -> None:
        names = [str(place) for place in range(len(roster.columns))]
        table = pa.Table.from_arrays(list(roster.columns), names=names)
        order = [str(place) for place in roster.per] + [name for name in names if int(name) not in roster.per]
        table = table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in order]))
        self.columns: tuple[Array, ...] = tuple(column.combine_chunks() for column in table.columns)
        self.rank: I64 = np.empty(len(self), np.int64)
        """Place of each member in the order of key values, nulls last, as results have it."""
        self.rank[pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names]).to_numpy()] = np.arange(
            len(self)
        )
        self.names = _names(
            [column for place, column in enumerate(self.columns) if place not in roster.per] or self.columns
        )
        """string[k]: what a member is called among those it is counted with."""
        self._per = roster.per
        self._keys_of, self._scopes_of = _Tuples(self.columns), _Tuples([self.columns[place] for place in roster.per])
        scope = _runs(self._scopes_of.number, len(self))
        self._scope_by_number = _spread(self._scopes_of.number, scope, len(self))
        self._member_by_number = _spread(self._keys_of.number, np.arange(len(self)), len(self))
        grid = _runs(
            _Tuples([self.columns[roster.per[0]]]).number if by_calendar else np.zeros(len(self), np.int64), len(self)
        )
        self.parts = [_part(grid, scope, number) for number in range(int(grid[-1]) + 1)]
        self._seen: Keys | None = None
        self._member: I64 = np.empty(0, np.int64)
        self._scope: I64 = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.columns[0])

    def find(self, keys: Keys, key: I64) -> tuple[I64, I64]:
        """The member and the scope of group keys by number, `NOBODY` where there is none; looks at each key once."""
        if keys is not self._seen:
            self._seen, self._member, self._scope = keys, np.empty(0, np.int64), np.empty(0, np.int64)
        known = len(self._member)
        if known < len(keys):
            columns = keys.take(np.arange(known, len(keys)))
            member = self._keys_of.find(columns)
            scope = self._scopes_of.find([columns[place] for place in self._per], len(keys) - known)
            self._member = np.append(self._member, _at(self._member_by_number, member))
            self._scope = np.append(self._scope, _at(self._scope_by_number, scope))
        return self._member[key], self._scope[key]


class _Tuples:
    """Distinct tuples of values, found again by their columns: no tuple is ever made in Python."""

    def __init__(self, columns: Sequence[Array]) -> None:
        self._values = [column.unique() for column in columns]
        self._steps: list[I64] = []
        number = np.zeros(len(columns[0]) if columns else 0, np.int64)
        for values, column in zip(self._values, columns, strict=True):
            both = number * len(values) + _codes(column, values)
            step, number = np.unique(both, return_inverse=True)
            self._steps.append(step)
        self.number: I64 = number
        """int64[n]: the number of the tuple in each row it was made of; empty where there are no columns."""

    def find(self, columns: Sequence[Array], rows: int = 0) -> I64:
        """The number of each row's tuple, -1 where it is none of them; the empty tuple, in `rows` rows, is 0."""
        number = np.zeros(len(columns[0]) if columns else rows, np.int64)
        for values, step, column in zip(self._values, self._steps, columns, strict=True):
            code = _codes(column, values)
            both = number * len(values) + code
            place = np.minimum(np.searchsorted(step, both), len(step) - 1)
            number = np.where((number >= 0) & (code >= 0) & (step[place] == both), place, NOBODY)
        return number


def _codes(column: Array, values: Array) -> I64:
    """Where each value stands among distinct ones, null among them; -1 where it does not."""
    found = pc.index_in(column, value_set=values)
    return np.asarray(found.fill_null(NOBODY).to_numpy(zero_copy_only=False).astype(np.int64))


def _runs(number: I64, rows: int) -> I64:
    """Number runs of equal numbers from 0; one run where there are no numbers at all."""
    if not len(number):
        return np.zeros(rows, np.int64)
    return np.cumsum(np.diff(number, prepend=number[0]) != 0)


def _spread(number: I64, value: I64, rows: int) -> I64:
    """Value by number."""
    found = np.zeros(max(1, int(number.max(initial=-1)) + 1), np.int64)
    if len(number):
        found[number] = value
    return found


def _at(values: I64, number: I64) -> I64:
    return np.where(number < 0, NOBODY, values[np.maximum(number, 0)])


def _part(grid: I64, scope: I64, number: int) -> Part:
    place = np.flatnonzero(grid == number)
    own = scope[place]
    first = np.flatnonzero(np.diff(own, prepend=-1))
    members = range(int(place[0]), int(place[-1]) + 1)
    return Part(members, range(int(own[0]), int(own[-1]) + 1), first, own - own[0])


def _names(columns: Sequence[Array]) -> Array:
    texts: list[Any] = [column.cast(pa.string()).fill_null("null") for column in columns]
    joined: Array = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, " / ")
    return joined
