"""The roll is called when windows close: who of a roster was heard, who was not, and rows for the silent ones.

Which windows there are is a function of the rows alone: from the end of the first window in which any key was heard, up
to the watermark or the end of the last window heard, whichever is later. Once the watermark has passed the end of a
window, no row on time can fall into it or into any that ends earlier, so who was heard up to there is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.errors import StateRefused
from arrowflow.types import I64
from arrowflow.windows.arrays import Array, nulls
from arrowflow.windows.digest import row_hashes, sum_hashes
from arrowflow.windows.grids import Even, Grid, Stretch, join
from arrowflow.windows.keys import Keys
from arrowflow.windows.kinds.calendar import CalendarKind
from arrowflow.windows.kinds.panes import Kind
from arrowflow.windows.members import NOBODY, Members, Part
from arrowflow.windows.plan import CLOSED_BY, UTC, Plan
from arrowflow.windows.roster import MOST_NAMES, NO_DATA, REPORTED, UNEXPECTED
from arrowflow.windows.shapes import Cumulative, Hopping, Tumbling

SETTLED, HEARD = "roster.settled_us", "roster.heard_us"
_ALL128 = (1 << 128) - 1
_STATUS = (REPORTED, NO_DATA, UNEXPECTED)


class Position(NamedTuple):
    """Up to where every window has been called, and the end of the last one in which any key was heard."""

    settled_us: int
    heard_us: int


class Closing(NamedTuple):
    """Windows with rows that close now.

    Parameters
    ----------
    table : Table[w]
        Their result rows, in order.
    key, start_us, end_us : int64[w]
        Numbers of their group keys, and bounds.
    up_to_us : int
        Every window that ends here or earlier closes now; none of `end_us` is later.
    label : str or None
        Why they close.
    """

    table: pa.Table
    key: I64
    start_us: I64
    end_us: I64
    up_to_us: int
    label: str | None


class _Called(NamedTuple):
    """The roll of one part: what rows of the closing get, which rows are to be made, and the counts of both.

    `row` are rows of the closing and `row_cell` which cell is theirs; `member`, `window` (an index into `stretch`) and
    `cell` are those of each row to be made. `reported`, `expected` and `missing` have a cell per window and scope.
    """

    row: I64
    row_cell: I64
    member: I64
    window: I64
    cell: I64
    stretch: Stretch
    reported: I64
    expected: I64
    missing: Array


class Rollcall:
    """The expected keys of one operator, and how far they were called."""

    def __init__(self, plan: Plan, kind: Kind) -> None:
        assert plan.roster is not None, "a roll is called only where there is a roster"
        self._schema, self._own = plan.output_schema(), plan.own_schema()
        self._kind, self._names = kind, [each.name for each in plan.keys]
        self._silence_us = plan.roster.silence_us
        self._members = Members(plan.roster, by_calendar=isinstance(kind, CalendarKind))
        self._grids = _build_grids(plan, kind, self._members)
        self.position: Position | None = None
        self._told: Position | None = None

    # ---- calling ----------------------------------------------------------------------------------------

    def call(self, closing: Closing, keys: Keys) -> pa.Table:
        """The rows of a closing and those of silent keys, in the order of results; no window is called twice."""
        table, self.position = self.rehearse(closing, keys)
        return table

    def rehearse(self, closing: Closing, keys: Keys) -> tuple[pa.Table, Position | None]:
        """What `call` would give, and how far it would get."""
        heard, before = np.unique(closing.end_us), self.position
        if before is None:
            if not len(heard):
                return self._schema.empty_table(), None
            before = Position(int(heard[0]) - 1, int(heard[0]))
        known = np.union1d(np.int64(before.heard_us), heard)
        spans = _spans(known, self._silence_us, before.settled_us + 1, closing.up_to_us)
        member, scope = self._members.find(keys, closing.key)
        called = []
        for part, grid in zip(self._members.parts, self._grids, strict=True):
            stretch = join([grid.ending(*span) for span in spans])
            if len(stretch.end_us):
                called.append(self._call(part, stretch, closing, member, scope))
        after = Position(max(before.settled_us, closing.up_to_us), int(known[-1]))
        if not called and not len(heard):
            return self._schema.empty_table(), after
        return self._table(closing, member, called), after

    def _call(self, part: Part, stretch: Stretch, closing: Closing, member: I64, scope: I64) -> _Called:
        """Call the members of one part in its windows."""
        row = np.flatnonzero((scope >= part.scopes.start) & (scope < part.scopes.stop))
        window = stretch.find(closing.start_us[row], closing.end_us[row])
        on_it = member[row] != NOBODY
        seen = np.zeros((len(stretch.end_us), len(part.members)), np.bool_)
        seen[window[on_it], member[row[on_it]] - part.members.start] = True
        reported = np.add.reduceat(seen, part.first, axis=1, dtype=np.int64)
        expected = stretch.expecting[:, None] * part.size
        silent, silent_member = np.nonzero(~seen & stretch.expecting[:, None])
        cell = silent * len(part.scopes) + part.scope_of[silent_member]
        silent_member += part.members.start
        return _Called(
            row=row,
            row_cell=window * len(part.scopes) + scope[row] - part.scopes.start,
            member=silent_member,
            window=silent,
            cell=cell,
            stretch=stretch,
            reported=reported.ravel(),
            expected=expected.ravel(),
            missing=_lists(self._members.names, silent_member, cell, reported.size),
        )

    # ---- rows -------------------------------------------------------------------------------------------

    def _table(self, closing: Closing, member: I64, called: Sequence[_Called]) -> pa.Table:
        """Rows that are there and rows made for silent members, put in order, each with its counts."""
        cells = np.cumsum([0, *(len(each.reported) for each in called)])
        cell = np.full(len(member), cells[-1])  # of keys counted with no member: nobody is expected
        for each, first in zip(called, cells, strict=False):
            cell[each.row] = first + each.row_cell
        made = [self._made(each, closing.label) for each in called]
        own = pa.concat_tables([closing.table, *made])
        cell = np.concatenate([cell, *(first + each.cell for each, first in zip(called, cells, strict=False))])
        status = np.concatenate([np.where(member == NOBODY, 2, 0), np.ones(own.num_rows - len(member), np.int64)])
        order = self._order(own, np.concatenate([member, *(each.member for each in called)]))
        own, at = own.take(pa.array(order, pa.int64())), cell[order]
        nobody = np.zeros(1, np.int64)
        missing = pa.concat_arrays([*(each.missing for each in called), pa.array([[]], pa.list_(pa.string()))])
        added: tuple[Array, ...] = (
            pa.array(_STATUS, pa.string()).take(pa.array(status[order], pa.int64())),
            pa.array(np.concatenate([*(each.reported for each in called), nobody])[at], pa.int64()),
            pa.array(np.concatenate([*(each.expected for each in called), nobody])[at], pa.int64()),
            missing.take(pa.array(at, pa.int64())),
        )
        columns: list[Any] = [*own.columns[:-1], *added, own.column(CLOSED_BY)]
        return pa.Table.from_arrays(columns, schema=self._schema)

    def _made(self, called: _Called, label: str | None) -> pa.Table:
        """Rows without data."""
        n, stretch, window = len(called.member), called.stretch, called.window
        member = pa.array(called.member, pa.int64())
        columns: list[Array] = [
            *(column.take(member) for column in self._members.columns),
            pa.array(stretch.start_us[window], pa.int64()).view(UTC),
            pa.array(stretch.end_us[window], pa.int64()).view(UTC),
            *self._kind.describe(stretch.label[window], stretch.day[window]),
        ]
        blank = [nulls(n, each.type) for each in list(self._own)[len(columns) : -1]]
        labels: Array = pa.repeat(pa.scalar(label, pa.string()), n)
        return pa.Table.from_arrays([*columns, *blank, labels], schema=self._own)

    def _order(self, own: pa.Table, member: I64) -> I64:
        """The order of results: by start, key values with nulls last, and end."""
        if (member != NOBODY).all():  # then the order of keys is known already
            start, end = (own.column(name).cast(pa.int64()).to_numpy() for name in ("window_start", "window_end"))
            return np.lexsort((end, self._members.rank[member], start))
        names = ["window_start", *self._names, "window_end"]
        return np.asarray(pc.sort_indices(own, sort_keys=[(name, "ascending") for name in names]).to_numpy())

    # ---- across a restart -------------------------------------------------------------------------------

    def delta(self, table: pa.Table) -> pa.Table:
        """A delta of the state, with the position as one more row if it changed since the last one."""
        told, self._told = self._told, self.position
        return self.snapshot(table) if self.position != told else _with_position(table, None)

    def snapshot(self, table: pa.Table) -> pa.Table:
        """A snapshot of the state, with the position as one more row if there is one."""
        return _with_position(table, self.position)

    def parts(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """A snapshot of the state in parts, the position in the first; it counts as told."""
        position = self._told = self.position
        for table in tables:
            yield _with_position(table, position)
            position = None

    def read(self, full: Sequence[pa.Table], deltas: Sequence[pa.Table]) -> tuple[list[pa.Table], list[pa.Table]]:
        """Go to the position that is named last, in the parts of a snapshot or the deltas after it; return them without it."""
        return [self._read(part) for part in full], [self._read(delta) for delta in deltas]

    def _read(self, table: pa.Table) -> pa.Table:
        lacking = [name for name in (SETTLED, HEARD) if name not in table.column_names]
        if lacking:
            raise StateRefused(
                f"the state was written by another query: it has no {lacking[0]}, and this pipeline has a roster"
            )
        own = table.drop_columns([SETTLED, HEARD])
        if table.column(SETTLED).null_count == table.num_rows:
            return own  # as nearly all parts of a large snapshot: nothing is copied
        noted = table.filter(pc.is_valid(table.column(SETTLED)))
        settled, heard = (int(noted.column(name)[-1].as_py()) for name in (SETTLED, HEARD))
        self.position = self._told = Position(settled, heard)
        return own.filter(pc.is_null(table.column(SETTLED)))

    def digest(self, own: str) -> str:
        """The digest of the state, whose own rows have the digest `own`; the position counts as a row of two columns."""
        if self.position is None:
            return own
        row = pa.table({SETTLED: pa.array([self.position.settled_us]), HEARD: pa.array([self.position.heard_us])})
        return format((int(own, 16) + sum_hashes(*row_hashes(row))) & _ALL128, "032x")


def _build_grids(plan: Plan, kind: Kind, members: Members) -> list[Grid]:
    if isinstance(plan.window, Tumbling | Hopping | Cumulative):
        return [Even(plan.window)]
    assert isinstance(kind, CalendarKind), "plan_window lets no other kind have a roster"
    assert plan.roster is not None
    values = members.columns[plan.roster.per[0]]
    return [kind.grid(values[part.members.start].as_py()) for part in members.parts]


def _spans(heard: I64, silence_us: int, first_us: int, last_us: int) -> list[tuple[int, int]]:
    """Where ends of windows may lie that are given out: near enough behind a window heard, as far as it closes now.

    Parameters
    ----------
    heard : int64[n]
        Ends of windows heard, ascending, at least one.
    silence_us : int
        How far behind one of them.
    first_us, last_us : int
        Limits of it all.

    Returns
    -------
    spans : list of (int, int)
        Both ends inclusive, disjoint and ascending.
    """
    # The gaps of ascending numbers fit into 64 bits without a sign, whatever the numbers.
    gap = np.diff(heard.view(np.uint64))
    edge = np.flatnonzero(gap > np.uint64(silence_us))
    firsts, lasts = heard[np.append(0, edge + 1)], heard[np.append(edge, len(heard) - 1)]
    spans = [
        (max(first, first_us), min(last + silence_us, last_us))
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    ]
    return [(first, last) for first, last in spans if first <= last]


def _lists(names: Array, member: I64, cell: I64, cells: int) -> Array:
    """For each cell the names of its missing members, at most `MOST_NAMES`; `cell` is ascending."""
    first = np.searchsorted(cell, np.arange(cells + 1))
    size = np.minimum(np.diff(first), MOST_NAMES)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
    kept = np.arange(offsets[-1]) + np.repeat(first[:-1] - offsets[:-1], size)
    taken = names.take(pa.array(member[kept], pa.int64()))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), taken)


def _with_position(table: pa.Table, position: Position | None) -> pa.Table:
    """Add the columns of the position, and a row in which nothing else is filled in."""
    extra, gone = int(position is not None), pa.array([False], pa.bool_())
    blank: list[Array] = [nulls(extra, each.type) if each.name != "gone" else gone[:extra] for each in table.schema]
    rows = pa.concat_tables([table, pa.Table.from_arrays(blank, schema=table.schema)])
    for name, value in zip((SETTLED, HEARD), position or (None, None), strict=True):
        nobody = pa.nulls(table.num_rows, pa.int64())
        rows = rows.append_column(name, pa.concat_arrays([nobody, pa.array([value] * extra, pa.int64())]))
    return rows
