"""Windows in any program: push Arrow rows, take closed windows. No broker, no files, no clock of its own."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import pyarrow as pa

from arrowflow.api.aggregates import Given, aggregates_of
from arrowflow.api.asides import LATE_COLUMNS, REFUSED_COLUMNS, Aside, late_piece, refused_piece
from arrowflow.api.frames import Frame, find, in_types, plain_schema, refuse_naive, table_of
from arrowflow.api.intake import Dealt, Intake
from arrowflow.api.keeping import Kept, packed, unpacked
from arrowflow.api.partitions import Partition, Partitions, Share, source_partition
from arrowflow.api.spans import Span, datetime_of, instant_us, size_bytes, span_us
from arrowflow.errors import BalanceError, ConfigError, StateRefused
from arrowflow.protocols import Operator
from arrowflow.types import I64, MIN_US, Balance, Closed, Folded, RawBatch, RowBatch
from arrowflow.windows.clocks import Ticked
from arrowflow.windows.plan import WindowKind
from arrowflow.windows.spec import Roster, WindowSpec

_UNTOLD = 100_000
"""So many closed windows, and as many as are open, may wait to be told of before they are forgotten."""


class WindowOperator:
    """Rows grouped by key and window, given out once, when no row on time can still change them.

    What comes out is a function of the rows of each partition in their order, not of how they were cut into pushes.
    Rows that come too late for their window are in `late`, rows without a usable event time in `rejected`, both for the
    latest call only; `balance` counts everything since the beginning. Not for several threads at once.

    Parameters
    ----------
    window : Tumbling, Hopping, Cumulative, Sliding, Session or Shifts
        Which windows there are.
    by : str or sequence of str
        Key columns; none for one result per window.
    aggregate : mapping of str to str, Call or (CustomAggregate, str)
        Result column to ``"mean(speed)"`` or ``af.mean("speed")``, or a function of your own and the column it reads.
    time : str
        The column of event time: timestamps of any unit with a zone.
    max_out_of_orderness : str, timedelta or int
        How much later than a newer row of its partition a row may come and still be on time.
    allowed_lateness : str, timedelta or int
        How long a window waits after its end, on top of that.
    correct_for : str, timedelta or int, optional
        A row that comes up to this much too late reopens its window, which comes out again with a higher
        ``__af_revision``. Not for sessions and sliding windows.
    max_state_bytes : int or str, optional
        How much memory open windows may take, such as ``"2GiB"``; `StateTooLarge` stops a push before they take more.
    scope : "pipeline" or "partition"
        Whether a window waits for all partitions, or only for the one that feeds its key.
    roster : Roster, optional
        Keys expected in every window, made by `arrowflow.Roster`: silent ones have rows too, and each row says how many
        of them there were.
    time_unit : "s", "ms", "us", "ns" or None
        What `time` counts, where it is a column of integers.
    partition, offset : str or None
        The columns that say whose a row is and where it stood. Without them there is one partition (or the one a push
        names), and rows are counted as they come.
    partitions : sequence of int or str
        Partitions to wait for from the beginning. Any other joins at the watermark when its first row comes.

    Raises
    ------
    ConfigError
        For a description that makes no sense; what depends on the rows' columns is checked by the first `push`.
    """

    def __init__(
        self,
        window: WindowKind,
        by: str | Sequence[str],
        aggregate: Mapping[str, Given],
        *,
        time: str,
        max_out_of_orderness: Span,
        allowed_lateness: Span = 0,
        correct_for: Span | None = None,
        max_state_bytes: int | str | None = None,
        scope: Literal["pipeline", "partition"] = "pipeline",
        roster: Roster | None = None,
        time_unit: Literal["s", "ms", "us", "ns"] | None = None,
        partition: str | None = None,
        offset: str | None = None,
        partitions: Sequence[Partition] = (),
    ) -> None:
        self._spec = WindowSpec(
            window=window,
            group_by=(by,) if isinstance(by, str) else tuple(by),
            aggregates=aggregates_of(aggregate),
            allowed_lateness_us=span_us("allowed_lateness", allowed_lateness),
            scope=scope,
            correct_for_us=None if correct_for is None else span_us("correct_for", correct_for),
            max_state_bytes=None if max_state_bytes is None else size_bytes("max_state_bytes", max_state_bytes),
            roster=roster,
        )
        tolerance_us = span_us("max_out_of_orderness", max_out_of_orderness)
        if tolerance_us < 0:
            raise ConfigError(f"max_out_of_orderness: {max_out_of_orderness!r} is negative")
        self._intake = Intake(time, time_unit, partition, offset)
        self._partitions = Partitions(partitions, tolerance_us)
        self._partitions.check_names([])
        self._rows: pa.Schema | None = None
        self._core: Operator | None = None
        self._balance = Balance()
        self._untold = 0
        self._late = Aside(pa.table({}), (), LATE_COLUMNS, numbered=True)
        self._rejected = Aside(pa.table({}), (), REFUSED_COLUMNS, numbered=True)
        self._broken: str | None = None

    # ---- rows in, windows out --------------------------------------------------------------------------------

    def push(self, frame: Frame, partition: Partition | None = None) -> pa.Table:
        """Take rows and return the windows they closed.

        Parameters
        ----------
        frame : Polars, pandas or DuckDB frame, pyarrow table, record batch or stream
            Anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``. The first one fixes the types of the columns.
        partition : int or str, optional
            Whose rows these are, where no column says it.

        Returns
        -------
        Table
            Keys, ``window_start``, ``window_end``, aggregates and ``__af_closed_by``, ordered by start and keys; with
            `correct_for` also ``__af_revision``; with a `roster` also ``status``, ``reported``, ``expected`` and ``missing``.

        Raises
        ------
        ConfigError, PromiseBroken, StateTooLarge
            For rows that cannot be read as described. Raised before anything changed, the push may be mended and
            repeated; raised from the windows themselves, the operator says so at the next call and needs `restore`.
        """
        core, rows = self._ready(table := table_of(frame))
        needed = in_types(table, {field.name: field.type for field in rows}, self._spec.group_by)
        dealt = self._intake.deal(table, partition, self._partitions)
        self._core, self._rows = core, rows
        with self._whole_or_broken():
            said = _Said(table.num_rows)
            for refused in dealt.refused:
                said.refuse(refused.share, refused.index, [refused.reason], [refused.detail])
            for share, ticked in zip(dealt.shares, self._partitions.advance(dealt.shares), strict=True):
                self._fold(core, said, share, ticked, needed)
            self._tell(table, dealt, said)
            return self._close(core)

    def advance(self, to: dt.datetime | int, partition: Partition | None = None) -> pa.Table:
        """Vouch that nothing from before `to` is still to come, and return the windows this closes.

        For partitions that have gone quiet: a window waits for the slowest. Rows behind `to` are late from now on.

        Parameters
        ----------
        to : datetime or int
            A point in event time with a zone, or microseconds since 1970 UTC.
        partition : int or str, optional
            For whom; by default for every partition met or named.
        """
        floor = instant_us("to", to)
        named = list(self._partitions.known) if partition is None else [source_partition(partition)]
        if named and named[0] not in self._partitions.known:
            raise ConfigError(f"partition {partition!r} was neither named nor met")
        with self._whole_or_broken():
            self._forget()
            self._partitions.raise_floors(dict.fromkeys(named, floor))
            return pa.table({}) if self._core is None else self._close(self._core)

    def finish(self) -> pa.Table:
        """Close every open window, labelled ``end_of_input``, and return them all.

        Rows pushed later are late where they belong to windows up to the last one closed here.
        """
        with self._whole_or_broken():
            self._forget()
            if self._core is None:
                return pa.table({})
            closed = self._core.close_fed_by(None, "end_of_input")
            if closed.windows:
                self._partitions.raise_floors(dict.fromkeys(self._partitions.known, closed.reach_us))
            return pa.concat_tables([_given_out(closed), self._close(self._core)])

    # ---- what there is to see --------------------------------------------------------------------------------

    @property
    def watermark(self) -> dt.datetime | None:
        """Up to where event time is complete, in UTC; None while a partition had no row yet."""
        return datetime_of(self._partitions.watermark_us)

    @property
    def watermark_us(self) -> int | None:
        """The watermark in microseconds since 1970 UTC, exactly."""
        watermark_us = self._partitions.watermark_us
        return None if watermark_us == MIN_US else watermark_us

    @property
    def late(self) -> pa.Table:
        """Rows of the latest call that missed their window, as they came.

        After their own columns come ``_partition``, ``_offset``, ``_reason``, ``_window_start`` and ``_window_end``. The
        reason is ``behind_clock`` (with `correct_for` ``beyond_correction``); ``missed_windows`` for a row that came too
        late for some of its windows and is in the results of the others.
        """
        return self._late.table

    @property
    def rejected(self) -> pa.Table:
        """Rows of the latest call that have no window, as they came, with ``_reason`` and ``_detail``.

        They have no event time, no partition, no calendar, or lie beyond what can be counted.
        """
        return self._rejected.table

    @property
    def balance(self) -> Balance:
        """Where the rows of all calls went: ``read = folded + filtered + late + dead_lettered``."""
        return self._balance

    @property
    def open_windows(self) -> int:
        """How many windows (or panes) are open."""
        return 0 if self._core is None else self._core.open_windows

    def interim(self) -> pa.Table:
        """Return what every open window would give now; changes nothing."""
        self._refuse_broken()
        return pa.table({}) if self._core is None else self._core.interim()

    def __repr__(self) -> str:
        kind = self._spec.window.fingerprint()["kind"]
        return f"<WindowOperator {kind}, {self.open_windows} open, watermark {self.watermark}>"

    # ---- across a restart ------------------------------------------------------------------------------------

    def snapshot(self) -> pa.Table:
        """Return the whole state as one table: open windows as rows, clocks and offsets in the schema's metadata.

        Keep it with its metadata, in an Arrow or Parquet file. `late` and `rejected` are not in it.
        """
        self._refuse_broken()
        kept = Kept(self._spec, self._intake.time, self._partitions, self._rows, self._balance)
        return packed(pa.table({}) if self._core is None else self._core.snapshot(), kept)

    def restore(self, state: Frame) -> None:
        """Go on from a snapshot of an operator with the same description.

        Tolerances may differ: clocks never fall, so that no window comes out twice.

        Raises
        ------
        StateRefused
            If `state` is no snapshot, or one of another window, other keys or other aggregates.
        """
        table, kept = unpacked(table_of(state), self._spec, self._intake.time, self._partitions.tolerance_us)
        core = None if kept.rows is None else self._spec.build(kept.rows)
        if core is not None:
            core.restore(table, [])
        self._core, self._rows, self._broken = core, kept.rows, None
        self._partitions, self._balance = kept.partitions, kept.balance
        self._forget()

    # ---- inside ----------------------------------------------------------------------------------------------

    def _ready(self, table: pa.Table) -> tuple[Operator, pa.Schema]:
        """The core and the columns it takes; made for the first table, the same ever after."""
        self._refuse_broken()
        if self._core is not None and self._rows is not None:
            return self._core, self._rows
        for name in (*self._spec.group_by, *(each.column for each in self._spec.aggregates)):
            if name is not None:
                refuse_naive("column", name, find("rows", name, table).type)
        schema = plain_schema(table.schema)
        wanted = self._spec.plan(schema).columns
        rows = pa.schema([pa.field(name, kind) for name, kind in wanted.items()])
        return self._spec.build(rows), rows

    def _fold(self, core: Operator, said: _Said, share: Share, ticked: Ticked, needed: pa.Table) -> None:
        """Fold one partition's rows that have an event time."""
        row = np.flatnonzero(share.timed)
        place = share.index[row]
        table = needed if len(place) == needed.num_rows else needed.take(pa.array(place, pa.int64()))
        batch = RowBatch(_raw(share), row, table, share.event_us[row], ticked.clock_us[row])
        said.take(share, batch, core.fold(batch))

    def _close(self, core: Operator) -> pa.Table:
        closed = core.close(self._partitions.clocks_us, self._partitions.watermark_us)
        self._untold += closed.windows
        if self._untold > _UNTOLD + core.open_windows:
            core.delta()  # nobody here asks what changed, and windows that are gone are remembered until somebody does
            self._untold = 0
        return _given_out(closed)

    def _tell(self, table: pa.Table, dealt: Dealt, said: _Said) -> None:
        """Keep what this push said of its rows, which must add up."""
        balance = said.balance()
        if balance.read != balance.accounted:
            raise BalanceError(f"{balance.read} rows were pushed, {balance.accounted} are accounted for: {balance}")
        self._balance += balance
        known = dealt.shares[0].partition if dealt.shares else next(iter(self._partitions.known), None)
        numbered = known is None or known.topic == ""
        self._late = Aside(table, said.late, LATE_COLUMNS, numbered)
        self._rejected = Aside(table, said.refused, REFUSED_COLUMNS, numbered)

    def _forget(self) -> None:
        """A call without rows has no late ones."""
        self._late, self._rejected = self._late.emptied(), self._rejected.emptied()

    @contextmanager
    def _whole_or_broken(self) -> Iterator[None]:
        """Whatever is raised inside leaves half a push behind, so the operator refuses to go on."""
        self._refuse_broken()
        try:
            yield
        except BaseException as error:
            self._broken = f"{type(error).__name__}: {error}"
            raise

    def _refuse_broken(self) -> None:
        if self._broken is not None:
            raise StateRefused(
                f"this operator stopped in the middle of a call ({self._broken}); its state is half changed. "
                "Restore a snapshot, or begin again with a new operator"
            )


class _Said:
    """What the core said of the rows of one push."""

    def __init__(self, read: int) -> None:
        self.read, self.folded = read, 0
        self.late: list[pa.Table] = []
        self.refused: list[pa.Table] = []
        self._counts: dict[str, Counter[str]] = {"filtered": Counter(), "late": Counter(), "dead": Counter()}

    def refuse(self, share: Share | None, row: I64, reasons: Sequence[str], details: Sequence[str]) -> None:
        """Keep rows that have no window; one reason may stand for all."""
        reasons, details = [*reasons] * (len(row) // len(reasons)), [*details] * (len(row) // len(details))
        self._counts["dead"].update(reasons)
        self.refused.append(refused_piece(share, row, reasons, details))

    def take(self, share: Share, batch: RowBatch, folded: Folded) -> None:
        """Keep what became of a batch."""
        self.folded += folded.folded
        self._counts["filtered"].update(folded.filtered)
        if folded.late is not None and len(folded.late.row):
            self._counts["late"][folded.late.reason] += len(folded.late.row)
            self.late.append(late_piece(share, batch.row[folded.late.row], folded.late))
        if folded.missed is not None and len(folded.missed.row):
            self.late.append(late_piece(share, batch.row[folded.missed.row], folded.missed))
        if folded.rejects:
            row = np.array([reject.row for reject in folded.rejects], np.int64)
            reasons, details = zip(*((reject.reason, reject.detail) for reject in folded.rejects), strict=True)
            self.refuse(share, row, reasons, details)

    def balance(self) -> Balance:
        """The counts."""
        filtered, late, dead = (dict(sorted(counts.items())) for counts in self._counts.values())
        return Balance(read=self.read, folded=self.folded, filtered=filtered, late=late, dead_lettered=dead)


def _given_out(closed: Closed) -> pa.Table:
    """Closed windows, with their revision where windows can be corrected."""
    if closed.revision is None:
        return closed.table
    return closed.table.append_column("__af_revision", pa.array(closed.revision, pa.int64()).cast(pa.int32()))


def _raw(share: Share) -> RawBatch:
    """The records a share's rows would have come from: offsets and nothing else."""
    n = len(share.index)
    nothing = pa.nulls(n, pa.binary())
    return RawBatch(
        share.partition, share.offset, np.broadcast_to(np.int64(MIN_US), n), np.zeros(n, np.bool_), nothing, nothing
    )
