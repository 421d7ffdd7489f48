"""What every `Operator` owes the engine, as tests to inherit. It computes no window: it compares an operator with itself."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.errors import ConfigError, StateRefused
from arrowflow.protocols import Operator, OperatorSpec
from arrowflow.types import I64, MIN_US, Closed, Folded, PartitionClock, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.clocks import raise_floor, tick, watermark_us

PARTITIONS = tuple(SourcePartition("in", "topic", number) for number in range(3))


@dataclass(frozen=True, slots=True)
class Epoch:
    """The end of an epoch: what the engine closes by."""

    clocks: dict[SourcePartition, int]
    watermark_us: int


Step = RowBatch | Epoch


@dataclass(slots=True)
class Outcome:
    """What an operator gave for some steps: result rows as printed, late and refused records by place."""

    results: list[str] = field(default_factory=list)
    late: list[tuple[int, int, int, int, str]] = field(default_factory=list)
    rejects: list[tuple[int, int, str]] = field(default_factory=list)

    def take(self, batch: RowBatch, folded: Folded) -> None:
        """Add what became of one batch."""
        number = batch.partition.partition
        self.results += rows_of(folded.passed)
        if folded.late is not None:
            late = folded.late
            for row, start, end in zip(late.row, late.window_start_us, late.window_end_us, strict=True):
                self.late.append((number, int(batch.offset[row]), int(start), int(end), late.reason))
        self.rejects += [(number, int(batch.raw.offset[each.row]), each.reason) for each in folded.rejects]

    def sorted(self) -> Outcome:
        """The same, in an order that does not show how it came."""
        return Outcome(sorted(self.results), sorted(self.late), sorted(self.rejects))


def rows_of(table: pa.Table | None) -> list[str]:
    """Rows as text, so that NaN equals NaN and any type sorts."""
    if table is None:
        return []
    columns = [table.column(name) for name in table.column_names]
    plain = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns]
    return [repr(row) for row in zip(*(column.to_pylist() for column in plain), strict=True)]


def stored(table: pa.Table) -> pa.Table:
    """The table after a way through a file, as the engine keeps state."""
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    with pa.ipc.open_file(buffer.getvalue()) as reader:
        return reader.read_all()


def _bytes_of(table: pa.Table) -> bytes:
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue().to_pybytes()


def follow(operator: Operator, steps: Sequence[Step]) -> Outcome:
    """Let an operator take steps as the engine would."""
    outcome = Outcome()
    for step in steps:
        if isinstance(step, Epoch):
            outcome.results += rows_of(operator.close(step.clocks, step.watermark_us).table)
        else:
            outcome.take(step, operator.fold(step))
    return outcome


class OperatorConformance:
    """Subclass it with `spec` and `table`; say `windowed = False` for an operator that keeps no state.

    The suite makes streams of three partitions with disorder, late rows and gaps from dice, and judges lateness by
    the engine's own clocks. `table` gives the columns; under scope "partition" it must keep its promise.
    """

    schema: pa.Schema
    windowed = True
    closes_by_partition = False
    """Whether windows of single partitions may be closed; if not, asking for it is a `ConfigError`."""
    makes_windows = False
    """Whether windows come out although no row fell into them; then the state keeps up to where they did."""
    seeds = range(3)
    stride_us = 3_000_000
    """Event time moves on by about this much from row to row: some windows should close in sixty rows."""
    tolerance_us = 10_000_000
    start_us = 1_700_000_000_000_000

    def spec(self) -> OperatorSpec:
        """Return the spec under test; equal at every call."""
        raise NotImplementedError

    def table(self, dice: random.Random, event_us: Sequence[int], partition: SourcePartition) -> pa.Table:
        """Return one row of `schema` per event time, nulls and equal keys among them."""
        raise NotImplementedError

    def unfit(self) -> pa.Schema | None:
        """Return a schema the operator cannot run on, None if it runs on any."""
        return None

    def build(self) -> Operator:
        """A fresh operator."""
        return self.spec().build(self.schema)

    # ---- laws of folding ---------------------------------------------------------------------------------------

    def test_every_row_is_folded_late_or_rejected_and_only_one_of_them(self) -> None:
        for steps in self.stories():
            operator = self.build()
            for batch in (step for step in steps if isinstance(step, RowBatch)):
                folded = operator.fold(batch)
                late = [] if folded.late is None else folded.late.row.tolist()
                rejected = [each.row for each in folded.rejects]

                total = folded.folded + len(late) + len(rejected) + sum(folded.filtered.values())
                assert total == len(batch)
                assert late == sorted(set(late))
                assert all(0 <= row < len(batch) for row in late)
                assert rejected == sorted(set(rejected))
                assert set(rejected) <= set(batch.row.tolist()) - set(batch.row[late].tolist())
                assert folded.passed is None or folded.passed.num_rows <= folded.folded

    def test_the_state_holds_what_was_folded_and_has_not_left(self) -> None:
        for steps in self.stories():
            operator, expected = self.build(), 0
            for step in steps:
                windows = operator.open_windows
                if isinstance(step, RowBatch):
                    folded = operator.fold(step)
                    expected += folded.folded - (0 if folded.passed is None else folded.passed.num_rows)
                    assert operator.open_windows >= windows, "fold never closes"
                else:
                    closed = operator.close(step.clocks, step.watermark_us)
                    expected -= closed.folded_rows
                    assert self.came_out(closed, windows - operator.open_windows)
                    assert closed.table.num_rows == closed.windows
                assert operator.folded_rows == expected

    def test_the_stories_close_windows_and_meet_late_rows(self) -> None:
        """The suite's own alarm: laws about closing prove nothing if nothing closes."""
        outcomes = [follow(self.build(), steps) for steps in self.stories()]

        assert any(outcome.results for outcome in outcomes)
        assert any(outcome.late for outcome in outcomes) == self.windowed
        assert any(follow_to_state(self.build(), steps).open_windows for steps in self.stories()) == self.windowed

    def test_an_empty_batch_changes_nothing(self) -> None:
        for steps in self.stories():
            operator = follow_to_state(self.build(), steps)
            digest = operator.digest()
            batch = next(step for step in steps if isinstance(step, RowBatch))

            folded = operator.fold(batch.keep(np.zeros(len(batch), np.bool_)))

            assert (folded.folded, folded.rejects) == (0, ())
            assert folded.late is None or not len(folded.late.row)
            assert operator.digest() == digest

    def test_where_the_stream_is_cut_changes_nothing(self) -> None:
        for seed in self.seeds:
            steps, dice = self.story(seed), random.Random(seed)  # noqa: S311 - dice, not a secret
            whole = self.build()
            expected = follow(whole, steps).sorted()

            cut = self.build()
            assert follow(cut, recut(dice, steps)).sorted() == expected
            assert cut.digest() == whole.digest()

    def test_the_order_among_partitions_changes_no_state(self) -> None:
        for steps in self.stories():
            batches = [step for step in steps if isinstance(step, RowBatch)]
            apart = sorted(batches, key=lambda batch: batch.partition, reverse=True)

            one, other = (follow_to_state(self.build(), order) for order in (batches, apart))
            assert one.digest() == other.digest()
            assert self._all_of(one) == self._all_of(other)

    # ---- laws of closing ---------------------------------------------------------------------------------------

    def test_tables_have_the_schema_that_was_promised(self) -> None:
        for steps in self.stories():
            operator = self.build()
            for step in steps:
                if isinstance(step, RowBatch):
                    folded = operator.fold(step)
                    assert folded.passed is None or folded.passed.schema == operator.output_schema()
                else:
                    assert operator.close(step.clocks, step.watermark_us).table.schema == operator.output_schema()
            for _ in range(2):
                assert operator.close_fed_by(None, "end").table.schema == operator.output_schema()

    def test_closing_again_at_the_same_clocks_closes_nothing(self) -> None:
        for steps in self.stories():
            operator = self.build()
            for step in steps:
                follow(operator, [step])
                if isinstance(step, Epoch):
                    digest = operator.digest()
                    self.assert_nothing(operator.close(step.clocks, step.watermark_us))
                    assert operator.digest() == digest

    def test_closing_everything_leaves_nothing_and_names_the_reason(self) -> None:
        for steps in self.stories():
            operator = follow_to_state(self.build(), steps)
            windows, rows = operator.open_windows, operator.folded_rows

            closed = operator.close_fed_by(None, "a reason")

            assert self.came_out(closed, windows)
            assert (closed.folded_rows, closed.table.num_rows) == (rows, closed.windows)
            assert (operator.open_windows, operator.folded_rows) == (0, 0)
            assert self.makes_windows or operator.digest() == self.build().digest()
            assert all("'a reason'" in row for row in rows_of(closed.table))
            self.assert_nothing(operator.close_fed_by(None, "a reason"))

    def test_a_window_that_was_closed_before_its_time_never_opens_again_behind_its_floors(self) -> None:
        for steps in self.stories():
            operator = follow_to_state(self.build(), steps)
            closed = operator.close_fed_by(None, "end")
            if not closed.windows:
                continue
            assert max(closed.floors.values(), default=MIN_US) <= closed.reach_us

            for batch in (step for step in steps if isinstance(step, RowBatch)):
                assert operator.fold(behind(batch, closed.reach_us)).folded == 0
            assert operator.open_windows == 0

    def test_single_partitions_close_what_they_feed_or_the_asking_is_refused(self) -> None:
        for steps in self.stories():
            operator = follow_to_state(self.build(), steps)
            if not self.windowed:
                self.assert_nothing(operator.close_fed_by([PARTITIONS[0]], "silence"))
            elif self.closes_by_partition:
                self._check_closing_by_partition(operator, steps)
            else:
                with pytest.raises(ConfigError):
                    operator.close_fed_by([PARTITIONS[0]], "silence")

    # ---- laws of state -----------------------------------------------------------------------------------------

    def test_a_restored_snapshot_is_the_same_state_and_goes_on_the_same_way(self) -> None:
        for steps in self.stories():
            for at in range(0, len(steps), 5):
                operator = follow_to_state(self.build(), steps[:at])
                restored = self.build()
                restored.restore(stored(operator.snapshot()), [])

                self.assert_same(restored, operator)
                assert follow(restored, steps[at:]) == follow(operator, steps[at:])
                self.assert_same(restored, operator)

    def test_a_snapshot_and_the_deltas_since_restore_the_state_after_each(self) -> None:
        for seed in self.seeds:
            steps, dice = self.story(seed), random.Random(seed)  # noqa: S311 - dice, not a secret
            operator = self.build()
            full: pa.Table | None = None
            deltas: list[pa.Table] = []
            for step in steps:
                follow(operator, [step])
                if dice.random() < 0.2:
                    operator.delta()
                    full, deltas = stored(operator.snapshot()), []
                elif dice.random() < 0.7:
                    deltas.append(stored(operator.delta()))
                else:
                    continue
                restored = self.build()
                restored.restore(full, deltas)
                self.assert_same(restored, operator)

    def test_parts_are_the_snapshot_and_count_as_told(self) -> None:
        for steps in self.stories():
            operator, half = follow_to_state(self.build(), steps[: len(steps) // 2]), steps[len(steps) // 2 :]
            whole = operator.snapshot()
            parts = [stored(part) for part in operator.parts()]

            assert sorted(rows_of_any(pa.concat_tables(parts))) == sorted(rows_of_any(whole))
            assert operator.delta().num_rows == 0
            restored = self.build()
            restored.restore(parts, [])
            self.assert_same(restored, operator)
            follow(operator, half)
            restored.restore(parts, [stored(operator.delta())])
            self.assert_same(restored, operator)

    def test_deltas_told_by_a_restored_operator_continue_the_chain(self) -> None:
        for steps in self.stories():
            first, half = self.build(), len(steps) // 2
            chain = []
            follow(first, steps[:half])
            chain.append(stored(first.delta()))
            second = self.build()
            second.restore(None, chain)
            assert second.delta().num_rows == 0, "what was restored counts as told"
            follow(second, steps[half:])
            chain.append(stored(second.delta()))

            third = self.build()
            third.restore(None, chain)
            self.assert_same(third, second)

    def test_a_delta_forgets_what_it_told(self) -> None:
        for steps in self.stories():
            operator = self.build()
            for step in steps:
                follow(operator, [step])
                operator.delta()
                assert operator.delta().num_rows == 0

    def test_closed_windows_leave_tombstones(self) -> None:
        for steps in self.stories():
            operator = follow_to_state(self.build(), steps)
            operator.delta()
            full = stored(operator.snapshot())
            windows = operator.open_windows
            operator.close_fed_by(None, "end")
            delta = stored(operator.delta())

            assert delta.num_rows == windows or (self.makes_windows and delta.num_rows == windows + 1)
            restored = self.build()
            restored.restore(full, [delta])
            self.assert_same(restored, operator if self.makes_windows else self.build())

    def test_what_was_taken_does_not_change_as_more_is_folded(self) -> None:
        """The engine writes the tables of one epoch while it folds the next."""
        for steps in self.stories():
            operator, taken = self.build(), list[pa.Table]()
            bytes_then = list[bytes]()
            for step in steps:
                if isinstance(step, Epoch):
                    taken += [operator.close(step.clocks, step.watermark_us).table, operator.delta()]
                else:
                    passed = operator.fold(step).passed
                    taken += [] if passed is None else [passed]
                bytes_then += [_bytes_of(table) for table in taken[len(bytes_then) :]]

            assert [_bytes_of(table) for table in taken] == bytes_then

    def test_restoring_replaces_what_was_there(self) -> None:
        for steps in self.stories():
            operator = follow_to_state(self.build(), steps)

            operator.restore(None, [])

            self.assert_same(operator, self.build())
            assert operator.delta().num_rows == 0

    def test_looking_changes_nothing(self) -> None:
        for steps in self.stories():
            looked, left_alone = self.build(), self.build()
            for step in steps:
                follow(looked, [step])
                looked.snapshot()
                looked.digest()
                follow(left_alone, [step])
            assert looked.digest() == left_alone.digest()
            assert sorted(rows_of_any(looked.delta())) == sorted(rows_of_any(left_alone.delta()))

    def test_the_digest_changes_with_the_state(self) -> None:
        for steps in self.stories():
            operator = self.build()
            for batch in (step for step in steps if isinstance(step, RowBatch)):
                before, rows = operator.digest(), operator.folded_rows
                operator.fold(batch)
                assert (operator.digest() != before) == (operator.folded_rows != rows)

    def test_a_table_of_another_query_is_refused(self) -> None:
        strange = pa.table({"strange": pa.array([1], pa.int64())})
        for full, deltas in ((strange, []), (None, [strange])):
            with pytest.raises(StateRefused):
                self.build().restore(full, deltas)

    # ---- laws of the spec --------------------------------------------------------------------------------------

    def test_the_fingerprint_is_plain_data_and_does_not_change(self) -> None:
        first, second = (json.dumps(self.spec().fingerprint(), sort_keys=True) for _ in range(2))

        assert first == second
        assert self.spec().allowed_lateness_us >= 0

    def test_rows_it_cannot_run_on_are_a_config_error(self) -> None:
        unfit = self.unfit()
        if unfit is not None:
            with pytest.raises(ConfigError):
                self.spec().build(unfit)

    # ---- streams from dice -------------------------------------------------------------------------------------

    def stories(self) -> list[list[Step]]:
        """One story per seed."""
        return [self.story(seed) for seed in self.seeds]

    def story(self, seed: int) -> list[Step]:
        """Batches of three partitions and epochs between them, the last step an epoch."""
        dice = random.Random(seed)  # noqa: S311 - dice, not a secret
        clocks = dict.fromkeys(PARTITIONS, PartitionClock())
        offsets = dict.fromkeys(PARTITIONS, 100)
        steps: list[Step] = []
        for turn in range(14):
            part = PARTITIONS[turn] if turn < len(PARTITIONS) else dice.choice(PARTITIONS)
            batch, clocks[part] = self._batch(dice, part, offsets[part], clocks[part], turn)
            offsets[part] = int(batch.raw.offset[-1]) + dice.randint(1, 3)
            steps.append(batch)
            if dice.random() < 0.4:
                steps.append(self._epoch(clocks))
        return [*steps, self._epoch(clocks)]

    def _batch(
        self, dice: random.Random, part: SourcePartition, offset: int, clock: PartitionClock, turn: int
    ) -> tuple[RowBatch, PartitionClock]:
        records = dice.randint(1, 9)
        raw = _raw(part, np.cumsum([offset, *(dice.randint(1, 2) for _ in range(records - 1))]))
        present = np.flatnonzero([dice.random() < 0.9 for _ in range(records)])
        now = self.start_us + 4 * turn * self.stride_us
        event_us = [now + dice.randint(-8, 4) * self.stride_us + dice.randint(0, 10**6) for _ in present]
        ticked = tick(clock, np.array(event_us, np.int64), np.ones(len(event_us), np.bool_), None, self.tolerance_us)
        table = self.table(dice, event_us, part)
        assert table.schema == self.schema, "`table` must give rows of `schema`"
        return RowBatch(raw, present, table, np.array(event_us, np.int64), ticked.clock_us), ticked.clock

    def _epoch(self, clocks: dict[SourcePartition, PartitionClock]) -> Epoch:
        slowest = watermark_us(clocks, self.tolerance_us)
        values = {part: clock.clock_us(self.tolerance_us) for part, clock in clocks.items()}
        return Epoch(values, MIN_US if slowest is None else slowest)

    # ---- comparing ---------------------------------------------------------------------------------------------

    def assert_same(self, one: Operator, other: Operator) -> None:
        """Equal as far as anyone can see without going on."""
        assert one.digest() == other.digest()
        assert (one.folded_rows, one.open_windows) == (other.folded_rows, other.open_windows)
        assert sorted(rows_of_any(one.snapshot())) == sorted(rows_of_any(other.snapshot()))

    def came_out(self, closed: Closed, windows: int) -> bool:
        """Whether `windows` windows with rows are among those that closed, and no others without need."""
        return closed.windows == windows or (self.makes_windows and closed.windows > windows)

    def assert_nothing(self, closed: Closed) -> None:
        """Nothing was closed."""
        assert (closed.windows, closed.folded_rows, closed.table.num_rows) == (0, 0, 0)
        assert (dict(closed.floors), closed.reach_us) == ({}, MIN_US)

    def _all_of(self, operator: Operator) -> list[str]:
        return rows_of(operator.close_fed_by(None, "end").table)

    def _check_closing_by_partition(self, operator: Operator, steps: Sequence[Step]) -> None:
        windows, rows = operator.open_windows, operator.folded_rows
        for part in PARTITIONS:
            closed = operator.close_fed_by([part], "silence")
            windows, rows = windows - closed.windows, rows - closed.folded_rows
            assert (operator.open_windows, operator.folded_rows) == (windows, rows)
            assert dict(closed.floors) == ({part: closed.reach_us} if closed.windows else {})
            self.assert_nothing(operator.close_fed_by([part], "silence"))
            for batch in (step for step in steps if isinstance(step, RowBatch) and step.partition == part):
                if closed.windows:
                    assert operator.fold(behind(batch, closed.reach_us)).folded == 0
        assert (windows, rows) == (0, 0)


def follow_to_state(operator: Operator, steps: Sequence[Step]) -> Operator:
    """The operator after the steps."""
    follow(operator, steps)
    return operator


def rows_of_any(table: pa.Table) -> list[str]:
    """Rows of a state table as text."""
    return [repr(row) for row in table.to_pylist()]


def behind(batch: RowBatch, floor_us: int) -> RowBatch:
    """The same rows, had their partition's clock had this floor."""
    floor = raise_floor(PartitionClock(), floor_us).clock_us(0)
    return RowBatch(batch.raw, batch.row, batch.table, batch.event_us, np.maximum(batch.clock_us, floor))


def recut(dice: random.Random, steps: Sequence[Step]) -> list[Step]:
    """The same stream in smaller batches and fewer epochs; tables come in several chunks."""
    cut: list[Step] = []
    for step in steps[:-1]:
        if isinstance(step, Epoch):
            cut += [step] if dice.random() < 0.5 else []
            continue
        edges = sorted({0, len(step), *(dice.randint(0, len(step)) for _ in range(2))})
        cut += [_piece(step, low, high) for low, high in pairwise(edges)]
    return [*cut, steps[-1]]


def _piece(batch: RowBatch, low: int, high: int) -> RowBatch:
    middle = (low + high) // 2
    chunks = [batch.table.slice(low, middle - low), batch.table.slice(middle, high - middle)]
    rows = slice(low, high)
    return RowBatch(batch.raw, batch.row[rows], pa.concat_tables(chunks), batch.event_us[rows], batch.clock_us[rows])


def _raw(part: SourcePartition, offset: I64) -> RawBatch:
    rows = len(offset)
    nothing = pa.nulls(rows, pa.binary())
    return RawBatch(part, offset, np.full(rows, MIN_US, np.int64), np.zeros(rows, np.bool_), nothing, nothing)
