"""What every source owes the engine, as tests to inherit. It knows no adapter.

Subclass `SourceConformance`, and `GrowingSourceConformance` too where records can arrive while a source reads. The
suite asks for a topic by its content; the subclass makes it and returns the spec that reads it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.errors import DataLossError
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Control, RunContext, Source, SourceSpec, Store
from arrowflow.types import Bounds, Fetched, SourcePartition

_AMPLE = Bounds(rows=100_000, seconds=0.2)


class Given(NamedTuple):
    """One record to put into a partition; its offset is its place there."""

    value: bytes | None
    key: bytes | None = None
    timestamp_us: int = 1_700_000_000_000_000


class Seen(NamedTuple):
    """One record as read."""

    offset: int
    value: bytes | None
    key: bytes | None
    timestamp_us: int


class RealClock:
    """Processing time for suites that talk to real brokers."""

    def now_us(self) -> int:
        """Wall time."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Really wait."""
        time.sleep(min(seconds, 0.2))


class Heard:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def notice(self, event: object) -> None:
        """Keep it."""
        self.events.append(event)


class _NoStore:
    """No source touches the control prefix."""


def source_context(job: str = "job", failpoints: Failpoints | None = None) -> RunContext:
    """A run's context good enough for a source."""
    store: Store = _NoStore()  # type: ignore[assignment]
    return RunContext(job, RealClock(), Heard(), failpoints or Failpoints(), Control(store, "/nowhere"))


def rows_of(fetched: Fetched, part: SourcePartition) -> list[Seen]:
    """The records one read found in a partition."""
    return [
        Seen(int(offset), value, key, int(stamp))
        for batch in fetched.batches
        if batch.partition == part
        for offset, value, key, stamp in zip(
            batch.offset, batch.value.to_pylist(), batch.key.to_pylist(), batch.timestamp_us, strict=True
        )
    ]


def check_sums(fetched: Fetched, after: Mapping[SourcePartition, int]) -> None:
    """Every range starts where it was asked and holds its rows plus what no reader sees."""
    assert set(fetched.ranges) == set(after)
    for part, (start, stop) in fetched.ranges.items():
        rows = rows_of(fetched, part)
        assert start == after[part]
        assert stop - start == len(rows) + fetched.unseen.get(part, 0) + sum(fetched.hidden.get(part, ()))
        assert all(start <= row.offset < stop for row in rows)


def read_to_end(
    source: Source, after: Mapping[SourcePartition, int], bounds: Bounds = _AMPLE
) -> dict[SourcePartition, list[Seen]]:
    """Read until every partition stands at its stable end; each read is checked on the way."""
    ends = {part: source.discover().partitions[part].stable for part in after}
    at = dict(after)
    found: dict[SourcePartition, list[Seen]] = {part: [] for part in after}
    for _ in range(10_000):
        if all(at[part] >= ends[part] for part in at):
            return found
        fetched = source.read(at, bounds)
        check_sums(fetched, at)
        for part in at:
            found[part] += rows_of(fetched, part)
            at[part] = fetched.ranges[part].stop
    raise AssertionError(f"the ends {ends} were not reached; the source stands at {at}")


MIXED: tuple[tuple[Given, ...], ...] = (
    (
        Given(b'{"a":1}', b"k1", 1_700_000_000_123_000),
        Given(None, b"k1", 1_700_000_000_124_000),
        Given(b"", b"", 1_000),
        Given(b"\xff\x00\xfe", b"\x00\xff", 1_700_000_000_125_000),
        Given("ñ €".encode(), None, 2_000_000),
        *(Given(b'{"n":%d}' % number, b"k%d" % (number % 3), 3_000_000 + 1000 * number) for number in range(40)),
    ),
    tuple(Given(b'{"m":%d}' % number, None, 5_000_000 + 1000 * number) for number in range(23)),
    (),
)
"""Tombstones, empty and binary values and keys, and a partition with nothing in it."""


class SourceConformance:
    """Laws of reading a topic that does not change."""

    keyed = True
    """Whether the source has keys, tombstones and timestamps at all."""

    def make(self, content: Sequence[Sequence[Given]]) -> SourceSpec:
        """Return a spec of one topic whose partition i holds `content[i]` from offset 0."""
        raise NotImplementedError

    @pytest.fixture
    def content(self) -> Sequence[Sequence[Given]]:
        """What the topic holds; override it where a source cannot hold all of `MIXED`."""
        return MIXED

    @pytest.fixture
    def source(self, content: Sequence[Sequence[Given]]) -> Iterator[Source]:
        """An open source over `content`."""
        source = self.make(content).build("source", source_context())
        yield source
        source.close()

    @pytest.fixture
    def start(self, source: Source) -> Mapping[SourcePartition, int]:
        """Where the very first start begins."""
        return source.start_offsets(list(source.discover().partitions))

    def test_discover_lists_partitions_with_ordered_marks(
        self, source: Source, content: Sequence[Sequence[Given]]
    ) -> None:
        found = source.discover().partitions

        assert {part.source for part in found} == {"source"}
        for part, info in found.items():
            assert 0 <= info.low <= info.stable <= info.high
            assert info.high == len(content[part.partition])
        assert {part.partition for part in found} >= {number for number, rows in enumerate(content) if rows}

    def test_every_record_comes_once_with_its_offset_key_and_time(
        self, source: Source, start: Mapping[SourcePartition, int], content: Sequence[Sequence[Given]]
    ) -> None:
        for part, rows in read_to_end(source, start).items():
            given = content[part.partition]
            expected = [(offset, row.value) for offset, row in enumerate(given)]
            assert [(row.offset, row.value) for row in rows] == expected
            if self.keyed:
                assert [(row.key, row.timestamp_us) for row in rows] == [(row.key, row.timestamp_us) for row in given]

    @pytest.mark.parametrize("rows", [1, 3, 7])
    def test_small_bounds_cut_the_same_records(
        self, source: Source, start: Mapping[SourcePartition, int], rows: int
    ) -> None:
        whole = read_to_end(source, start)

        assert read_to_end(source, start, Bounds(rows=rows, seconds=0.2)) == whole

    def test_a_read_never_returns_more_rows_than_allowed(
        self, source: Source, start: Mapping[SourcePartition, int]
    ) -> None:
        assert source.read(start, Bounds(rows=5, seconds=1.0)).rows <= 5

    def test_an_earlier_position_reads_the_same_records_again(
        self, source: Source, start: Mapping[SourcePartition, int]
    ) -> None:
        whole = read_to_end(source, start)

        back = {part: offset + min(2, len(whole[part])) for part, offset in start.items()}
        assert read_to_end(source, back) == {part: rows[2:] for part, rows in whole.items()}
        assert read_to_end(source, start) == whole

    def test_partitions_not_asked_for_are_not_read(self, source: Source, start: Mapping[SourcePartition, int]) -> None:
        whole = read_to_end(source, start)
        for part in start:
            alone = {part: start[part]}
            assert read_to_end(source, alone) == {part: whole[part]}

    def test_a_partition_may_join_and_leave_between_reads(
        self, source: Source, start: Mapping[SourcePartition, int]
    ) -> None:
        whole = read_to_end(source, start)
        first, *others = start
        first_only = source.read({first: start[first]}, Bounds(rows=2, seconds=1.0))
        at = {first: first_only.ranges[first].stop, **{part: start[part] for part in others}}

        joined = read_to_end(source, at)

        assert rows_of(first_only, first) + joined[first] == whole[first]
        assert [joined[part] for part in others] == [whole[part] for part in others]

    def test_nothing_asked_is_nothing_read(self, source: Source) -> None:
        fetched = source.read({}, _AMPLE)

        assert (dict(fetched.ranges), fetched.rows) == ({}, 0)

    def test_reading_at_the_end_returns_empty_and_stays(self, source: Source) -> None:
        ends = {part: info.stable for part, info in source.discover().partitions.items()}

        fetched = source.read(ends, Bounds(seconds=0.05))

        check_sums(fetched, ends)
        assert fetched.rows == 0
        assert {part: each.stop for part, each in fetched.ranges.items()} == ends

    def test_row_61_an_offset_beyond_the_end_is_data_loss(
        self, source: Source, start: Mapping[SourcePartition, int]
    ) -> None:
        part = next(iter(start))
        high = source.discover().partitions[part].high

        with pytest.raises(DataLossError) as caught:
            source.read({part: high + 7}, _AMPLE)

        assert all(word in str(caught.value) for word in (str(part), str(high + 7), str(high)))

    def test_columns_have_the_promised_types(self, source: Source, start: Mapping[SourcePartition, int]) -> None:
        for batch in source.read(start, Bounds(seconds=1.0)).batches:
            dtypes = [str(column.dtype) for column in (batch.offset, batch.timestamp_us, batch.appended)]
            assert dtypes == ["int64", "int64", "bool"]
            assert (batch.key.type, batch.value.type) == (pa.binary(), pa.binary())
            assert (
                len(
                    {
                        len(column)
                        for column in (batch.offset, batch.timestamp_us, batch.appended, batch.key, batch.value)
                    }
                )
                == 1
            )
            assert (np.diff(batch.offset) > 0).all()

    def test_acknowledging_is_never_an_error(self, source: Source, start: Mapping[SourcePartition, int]) -> None:
        source.acknowledge(start, "af1;e=1")

    def test_remembering_the_epochs_told_changes_nothing(
        self, source: Source, start: Mapping[SourcePartition, int]
    ) -> None:
        whole = read_to_end(source, start)
        told = source.read(start, Bounds(rows=5, seconds=1.0)).leader_epoch

        source.remember(told)

        assert read_to_end(source, start) == whole

    def test_others_may_look_and_acknowledge_while_one_reads(
        self, source: Source, start: Mapping[SourcePartition, int], content: Sequence[Sequence[Given]]
    ) -> None:
        """The engine reads on while the epoch before is checked, committed and acknowledged."""
        with ThreadPoolExecutor(1) as reader:
            reading = reader.submit(read_to_end, source, start, Bounds(rows=7, seconds=0.2))
            looks = 0
            while not (looks and reading.done()):
                assert source.discover().partitions.keys() == start.keys()
                source.acknowledge(dict(start), "note")
                looks += 1
                time.sleep(0.01)  # a client queues what it is to commit: without a pause more than it ever sends

        found = {part.partition: [row.value for row in rows] for part, rows in reading.result().items()}
        assert found == {part.partition: [row.value for row in content[part.partition]] for part in start}

    def test_closing_twice_is_fine(self, source: Source) -> None:
        source.close()
        source.close()

    def test_the_same_spec_has_the_same_fingerprint(self, content: Sequence[Sequence[Given]]) -> None:
        spec = self.make(content)

        assert dict(spec.fingerprint()) == dict(spec.fingerprint())
        assert "kind" in spec.fingerprint()


class GrowingSourceConformance:
    """Laws of reading a topic that records are added to; mix it with `SourceConformance`."""

    def append(self, partition: int, rows: Sequence[Given]) -> None:
        """Add records to the topic that `make` made last."""
        raise NotImplementedError

    def add_partition(self) -> int:
        """Add a partition to that topic and return its number."""
        raise NotImplementedError

    def test_records_that_arrive_later_are_read_later(
        self, source: Source, start: Mapping[SourcePartition, int]
    ) -> None:
        before = read_to_end(source, start)
        part = next(iter(start))
        at = {part: source.discover().partitions[part].stable}
        added = [Given(b"later %d" % number, b"k", 9_000_000) for number in range(10)]

        self.append(part.partition, added)

        later = read_to_end(source, at)[part]
        assert [row.value for row in later] == [row.value for row in added]
        assert later[0].offset == len(before[part])

    def test_row_62_a_new_partition_is_discovered_and_read_from_its_start(
        self, source: Source, start: Mapping[SourcePartition, int]
    ) -> None:
        read_to_end(source, start)
        number = self.add_partition()
        self.append(number, [Given(b"first", b"k", 9_000_000)])

        found = source.discover().partitions
        (new,) = (part for part in found if part.partition == number)

        at = {part: info.stable for part, info in found.items()} | {new: found[new].low}
        assert [row.value for row in read_to_end(source, at)[new]] == [b"first"]
