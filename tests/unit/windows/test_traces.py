"""The ordered aggregates against the oracle, and the laws of what they keep."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles import traces as oracle

from arrowflow.errors import PromiseBroken
from arrowflow.types import SourcePartition
from arrowflow.windows import digest
from arrowflow.windows.aggregates.accumulator import Before, Slice, Windows
from arrowflow.windows.aggregates.traces import FOR_EVER, Trace, carry_us, quotients
from arrowflow.windows.columns import Columns
from arrowflow.windows.feeders import Feeders
from arrowflow.windows.kernels import traces as kernels
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate

PARTITIONS = [SourcePartition("s", "t", 0), SourcePartition("s", "t", 1), SourcePartition("s", "a", 7)]
SPAN = 40
INTS, UINTS = st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1)
EXTREMES = [5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 0.1, -0.0, 1e16]
DOUBLES = st.one_of(st.floats(), st.sampled_from([*EXTREMES, math.nan, math.inf, -math.inf]))
VALUES = {
    "int64": (pa.int64(), st.one_of(INTS, st.integers(-3, 3))),
    "int16": (pa.int16(), st.integers(-5, 5)),
    "uint64": (pa.uint64(), st.one_of(UINTS, st.integers(0, 5))),
    "float64": (pa.float64(), st.one_of(DOUBLES, st.integers(0, 5).map(float))),
    "float32": (pa.float32(), st.sampled_from([0.0, -0.0, 1.5, 0.10000000149011612, math.nan])),
    "string": (pa.string(), st.sampled_from(["run", "stop", "", "ñ", "fault"])),
    "bool": (pa.bool_(), st.booleans()),
}
NUMBERS = ["int64", "int16", "uint64", "float64", "float32"]


def bits(value):
    """Doubles apart by their bits; any NaN is one."""
    return None if value is None else ("nan" if math.isnan(value) else float(value).hex())


@st.composite
def samples_of(draw, values, *, slots=1, most=25, nulls=True, times=None):
    """Samples (event_us, source, topic, partition, offset, value) with the slot of each; offsets never repeat."""
    value = st.one_of(values, st.none()) if nulls else values
    time = st.integers(0, SPAN) if times is None else times
    rows = draw(
        st.lists(st.tuples(time, st.integers(0, 2), value, st.integers(-1 if nulls else 0, slots - 1)), max_size=most)
    )
    places = draw(st.permutations(range(len(rows))))
    return [((at, *PARTITIONS[p], place, v), slot) for (at, p, v, slot), place in zip(rows, places, strict=True)]


def measured(rows, slot=0):
    """What the oracle looks at: the samples of one slot that are not null."""
    return [sample for sample, where in rows if where == slot and sample[5] is not None]


def fresh(kind, slots=1, feeders=None):
    trace = Trace(PlannedAccumulator("trace", "x", kind), feeders or Feeders())
    for lane in trace.lanes:
        lane.fit(slots)
    return trace


def fold(trace, rows, feeders, slots=1):
    """Fold rows of one partition as one slice."""
    kind = trace.fields[0].type.value_type.field("value").type
    table = pa.table({"x": pa.array([sample[5] for sample, _slot in rows], kind, from_pandas=False)})
    slot, event, offset = (
        np.array(column, np.int64)
        for column in ([s for _r, s in rows], [r[0] for r, _s in rows], [r[4] for r, _s in rows])
    )
    number = feeders.number(SourcePartition(*rows[0][0][1:4]))
    trace.fold(Slice(slot, Columns(table, {"x": kind}), event, offset, number, slots))


def traced(kind, rows, slots=1, cut=3, feeders=None):
    """A trace that took `rows` in the order given, in slices of one partition and at most `cut` rows."""
    feeders = feeders or Feeders()
    trace, part = fresh(kind, slots, feeders), []
    for row in rows:
        if part and (part[0][0][1:4] != row[0][1:4] or len(part) == cut):
            fold(trace, part, feeders, slots)
            part = []
        part.append(row)
    if part:
        fold(trace, part, feeders, slots)
    return trace


def aggregate(function, *arguments):
    accumulator = PlannedAccumulator("trace", "x", pa.float64())
    return PlannedAggregate("y", function, "x", "ordered", pa.float64(), accumulator, arguments)


def windows(start, end, before=None, slots=(0,)):
    m = len(slots)
    held = {} if before is None else {"trace(x)": before}
    return Windows(
        np.array(slots, np.int64),
        np.full(m, start, np.int64),
        np.full(m, end, np.int64),
        lambda i: f"window {i}",
        held,
    )


def known_before(sample, kind):
    """`sample`, or nothing, as what is known before one window."""
    if sample is None:
        return Before(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.bool_), np.array([None], object))
    trace = traced(kind, [(sample, 0)])
    return trace.latest(np.array([0]))


def finished(trace, planned, *args):
    return trace.finish(planned, windows(*args))[0].as_py()


def split(rows, start, end):
    """Samples before a window, and those inside it."""
    inside = [row for row in rows if start <= row[0][0] < end]
    return oracle.last_before(measured(rows), start), inside


# ---- against the oracle ---------------------------------------------------------------------------------

CARRY = st.one_of(st.none(), st.integers(0, 2 * SPAN), st.just(FOR_EVER - 1))
EDGES = st.lists(st.integers(0, SPAN), min_size=2, max_size=2).map(sorted)


@pytest.mark.parametrize("name", VALUES)
@given(data=st.data())
def test_coverage_and_time_in_state_are_those_of_the_oracle(name, data):
    kind, values = VALUES[name]
    rows = data.draw(samples_of(values))
    (start, end), carry, state = data.draw(EDGES), data.draw(CARRY), data.draw(values)
    before, inside = split(rows, start, end)
    trace, known = traced(kind, inside), known_before(before, kind)
    held = oracle.holds(measured(inside), before, start, end, carry)

    assert finished(trace, aggregate("coverage", carry), start, end, known) == oracle.coverage(held, start, end)
    expected = oracle.time_in_state(held, state)
    assert finished(trace, aggregate("time_in_state", state, carry), start, end, known) == expected


@pytest.mark.parametrize("name", NUMBERS)
@given(data=st.data())
def test_time_weighted_means_are_the_exact_quotient_rounded_once(name, data):
    kind, values = VALUES[name]
    scale = data.draw(st.sampled_from([1, 1, 2**21, 2**30 + 7, 2**57 - 3]))
    rows = data.draw(samples_of(values, times=st.integers(0, SPAN).map(lambda at: at * scale)))
    (start, end), carry = data.draw(EDGES), data.draw(CARRY)
    start, end, carry = start * scale, end * scale, carry if carry is None else min(carry * scale, FOR_EVER)
    before, inside = split(rows, start, end)

    result = finished(
        traced(kind, inside), aggregate("time_weighted_mean", carry), start, end, known_before(before, kind)
    )

    held = oracle.holds(measured(inside), before, start, end, carry)
    assert bits(result) == bits(oracle.time_weighted_mean(held))


@pytest.mark.parametrize("name", NUMBERS)
@given(data=st.data())
def test_counter_deltas_are_the_exact_sum_of_increments(name, data):
    kind, values = VALUES[name]
    rows = data.draw(samples_of(values))
    (start, end), carry = data.draw(EDGES), data.draw(CARRY)
    moduli = st.integers(1, 2**64) if pa.types.is_integer(kind) else st.sampled_from([1.5, 1e300, 5e-324, 100])
    modulus = data.draw(st.one_of(st.none(), moduli))
    before, inside = split(rows, start, end)
    trace, planned = traced(kind, inside), aggregate("counter_delta", modulus, carry)

    expected = oracle.counter_delta(measured(inside), before, carry, modulus)

    if isinstance(expected, int) and not -(2**63) <= expected < 2**63:
        with pytest.raises(PromiseBroken, match=rf"counter_delta of 'x' is {expected} in window 0: it does not fit"):
            finished(trace, planned, start, end, known_before(before, kind))
    else:
        told = finished(trace, planned, start, end, known_before(before, kind))
        assert told == expected if isinstance(expected, int) else bits(told) == bits(expected)


@given(data=st.data())
def test_many_windows_at_once_are_each_window_by_itself(data):
    rows = data.draw(samples_of(VALUES["float64"][1], slots=4))
    carry = data.draw(CARRY)
    trace, slots = traced(pa.float64(), rows, slots=4), (2, 0, 3, 1)
    starts = [data.draw(st.integers(0, 5)) for _ in slots]
    before = [data.draw(st.one_of(st.none(), st.integers(-9, -1))) for _ in slots]
    known = Before(
        np.array([at or 0 for at in before], np.int64),
        np.full(4, 2.5).view(np.int64),
        np.array([at is not None for at in before], np.bool_),
    )
    many = replace(windows(0, SPAN + 1, known, slots), start_us=np.array(starts, np.int64))

    for function, expect in [
        ("coverage", lambda held, start: oracle.coverage(held, start, SPAN + 1)),
        ("time_weighted_mean", lambda held, _start: oracle.time_weighted_mean(held)),
    ]:
        result = trace.finish(aggregate(function, carry), many).to_pylist()
        expected = [
            expect(
                oracle.holds(
                    measured(rows, slot), at if at is None else (at, *PARTITIONS[0], 0, 2.5), s, SPAN + 1, carry
                ),
                s,
            )
            for slot, at, s in zip(slots, before, starts, strict=True)
        ]
        assert list(map(bits, result)) == list(map(bits, expected))


@given(data=st.data())
@pytest.mark.parametrize("name", ["int64", "string"])
def test_the_last_sample_before_each_window_is_that_of_the_oracle(name, data):
    kind, values = VALUES[name]
    # Few instants, so that windows often start at a sample.
    rows = data.draw(samples_of(values, slots=5, times=st.integers(0, 5)))
    key = data.draw(st.lists(st.integers(0, 3), min_size=5, max_size=5))
    wanted = data.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 7)), max_size=8))
    at_start = data.draw(st.booleans())
    trace = traced(kind, rows, slots=5)
    order = np.array(data.draw(st.permutations(range(5))), np.int64)

    found = trace.before(
        np.array([k for k, _at in wanted], np.int64),
        np.array([at for _k, at in wanted], np.int64),
        order,
        np.array(key, np.int64)[order],
        at_start=at_start,
    )

    for i, (k, at) in enumerate(wanted):
        samples = [sample for slot in range(5) if key[slot] == k for sample in measured(rows, slot)]
        expected = oracle.last_before(samples, at + at_start)
        told = None
        if found.known[i]:
            told = (int(found.event_us[i]), found.text[i] if name == "string" else int(found.bits[i]))
        assert told == (None if expected is None else (expected[0], expected[5]))


# ---- laws of what is kept -------------------------------------------------------------------------------


def content(trace, slots=3):
    return trace.dump(np.arange(slots))[0]


@pytest.mark.parametrize("name", ["float64", "string", "bool"])
@given(data=st.data())
def test_the_state_is_all_samples_in_their_order(name, data):
    kind, values = VALUES[name]
    rows = data.draw(samples_of(values, slots=3))

    told = content(traced(kind, rows, slots=3)).to_pylist()

    for slot in range(3):
        expected = oracle.in_order(measured(rows, slot))
        assert [(s["event_us"], *s["feeder"].values(), s["offset"]) for s in told[slot]] == [e[:5] for e in expected]
        assert list(map(repr, (s["value"] for s in told[slot]))) == [repr(e[5]) for e in expected]


@pytest.mark.parametrize("name", ["int64", "float64", "string"])
@given(data=st.data())
def test_order_and_cuts_of_what_comes_in_leave_no_mark(name, data):
    kind, values = VALUES[name]
    rows = data.draw(samples_of(values, slots=3))
    other = data.draw(st.permutations(rows))

    straight = content(traced(kind, rows, slots=3, cut=100))
    shuffled = content(traced(kind, other, slots=3, cut=data.draw(st.integers(1, 5))))

    assert repr(straight.to_pylist()) == repr(shuffled.to_pylist())
    assert [b if b is None else b.to_pybytes() for b in straight.buffers()] == [
        b if b is None else b.to_pybytes() for b in shuffled.buffers()
    ]


@pytest.mark.parametrize("name", ["int64", "string"])
@given(data=st.data())
def test_two_halves_merged_are_one_pass(name, data):
    kind, values = VALUES[name]
    rows = data.draw(samples_of(values, slots=2))
    half = data.draw(st.integers(0, len(rows)))
    apart = [(sample, slot if i < half or slot < 0 else slot + 2) for i, (sample, slot) in enumerate(rows)]
    trace = traced(kind, apart, slots=4)
    sources = trace.dump(np.array([2, 3]))[0]

    trace.merge(np.array([0, 1]), np.array([2, 3]))

    assert repr(content(trace, 2).to_pylist()) == repr(content(traced(kind, rows, slots=2), 2).to_pylist())
    assert repr(trace.dump(np.array([2, 3]))[0].to_pylist()) == repr(sources.to_pylist())


def test_a_merge_goes_on_from_what_the_merge_before_it_made_and_changes_no_shared_chunk():
    rows = [((at, *PARTITIONS[0], at, at), at) for at in range(3)]
    trace = traced(pa.int64(), rows, slots=4)
    lane = trace.lanes[0].values
    lane[3] = lane[0]  # as the lead copies lanes: two slots, one object

    trace.merge(np.array([0, 0, 2]), np.array([1, 2, 0]))

    told = [[s["value"] for s in held] for held in content(trace, 4).to_pylist()]
    assert told == [[0, 1, 2], [1], [0, 1, 2, 2], [0]]


@pytest.mark.parametrize("name", ["int64", "uint64", "float32", "string", "bool"])
@given(data=st.data())
def test_a_dumped_trace_goes_on_where_it_stood_in_another_process(name, data):
    kind, values = VALUES[name]
    rows = data.draw(samples_of(values, slots=3))
    half = data.draw(st.integers(0, len(rows)))
    feeders = Feeders()
    other = fresh(kind, 3, feeders)
    for lane in other.lanes:
        lane.values[1] = (bytes(32),)  # what stood there before is replaced
    dumped = content(traced(kind, rows[:half], slots=3))
    padded = pa.concat_arrays([dumped, dumped]).slice(3)

    other.load(np.arange(3), [padded])
    for row in rows[half:]:
        fold(other, [row], feeders, 3)

    assert repr(content(other).to_pylist()) == repr(content(traced(kind, rows, slots=3)).to_pylist())


def test_a_null_list_loads_as_nothing():
    trace = traced(pa.int64(), [((1, *PARTITIONS[0], 0, 5), 0)])

    trace.load(np.array([0]), [pa.nulls(1, trace.fields[0].type)])

    assert trace.lanes[0].values[0] is None
    assert content(trace, 1).to_pylist() == [[]]


@pytest.mark.parametrize("name", ["int64", "string"])
@given(data=st.data())
def test_keeping_the_latest_keeps_the_last_in_order_and_nothing_else(name, data):
    kind, values = VALUES[name]
    rows = data.draw(samples_of(values, slots=2))
    trace = traced(kind, rows, slots=2)
    latest = trace.latest(np.arange(2))

    trace.keep_latest(np.array([0, 1]))

    for slot, told in enumerate(content(trace, 2).to_pylist()):
        expected = oracle.in_order(measured(rows, slot))[-1:]
        assert [(s["event_us"], s["offset"], s["value"]) for s in told] == [(e[0], e[4], e[5]) for e in expected]
        assert latest.known[slot] == bool(expected)
        if expected:
            assert latest.event_us[slot] == expected[0][0]
            assert (latest.bits[slot] if name == "int64" else latest.text[slot]) == expected[0][5]


def test_gathering_joins_the_slots_of_a_group_in_order():
    rows = [((at, *PARTITIONS[at % 3], at, at), at % 4) for at in (9, 2, 7, 4, 1, 8, 6, 3)]
    trace = traced(pa.int64(), rows, slots=5)

    held = trace.gather(np.array([3, 1, 4, 2, 0]), np.array([50, 7, 7, 50, 7]))

    assert held.group.tolist() == [7, 50]
    assert held.first.tolist() == [0, 4, 8]
    assert held.rows[:, kernels.EVENT].tolist() == [1, 4, 8, 9, 2, 3, 6, 7]


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()], ids=str)
def test_many_small_chunks_are_piled_into_few(kind):
    value = str if kind == pa.string() else int
    rows = [((at, *PARTITIONS[0], at, value(at)), 0) for at in range(300)]

    trace = traced(kind, rows, cut=1)

    sizes = [[len(chunk) for chunk in lane.values[0]] for lane in trace.lanes]
    assert len(sizes[0]) <= 32
    assert sum(sizes[0]) == 300 * 32
    assert all([size * 32 for size in each] == sizes[0] for each in sizes[1:])
    assert [s["value"] for s in content(trace, 1)[0].as_py()] == [value(at) for at in range(300)]


def test_looking_leaves_one_chunk_in_order():
    rows = [((at, *PARTITIONS[0], at, at), 0) for at in (5, 3, 4)]
    trace = traced(pa.int64(), rows, cut=1)

    trace.latest(np.array([0]))

    (chunk,) = trace.lanes[0].values[0]
    assert np.frombuffer(chunk, np.int64).reshape(-1, 4)[:, kernels.EVENT].tolist() == [3, 4, 5]


def test_equal_places_are_told_apart_by_source_topic_and_partition_whoever_came_first():
    """Partition t[0] was met first, yet the one of topic "a" sorts before it."""
    rows = [((5, *PARTITIONS[p], 0, p), 0) for p in (0, 1, 2)]

    assert [s["value"] for s in content(traced(pa.int64(), rows), 1)[0].as_py()] == [2, 0, 1]


@pytest.mark.skipif(not hasattr(digest, "item_hashes"), reason="the digest does not know lists yet")
def test_the_digest_of_a_list_column_sees_values_and_edges():
    told = [
        digest.digest_of(
            pa.table({"x": content(traced(kind, [((1, *PARTITIONS[0], offset, value), slot)], slots=2), 2)})
        )
        for kind, value in [(pa.int64(), 7), (pa.int64(), 8), (pa.string(), "7")]
        for offset in (0, 1)
        for slot in (0, 1)
    ]

    # The digest knows no order of rows: which of the two slots holds the sample makes no difference, all else does.
    assert told[::2] == told[1::2]
    assert len(set(told)) == 6


# ---- the meaning, case by case ---------------------------------------------------------------------------


def minute(*values, kind=VALUES["float64"][0]):
    """Samples of partition 0: (second, value)."""
    return traced(kind, [((at * 1_000_000, *PARTITIONS[0], i, v), 0) for i, (at, v) in enumerate(values)])


MINUTE = (0, 60_000_000)
SEC = 1_000_000


@pytest.mark.parametrize(
    ("values", "carry", "mean", "coverage"),
    [
        (((0, 10.0),), None, 10.0, 1.0),
        (((30, 10.0),), None, 10.0, 0.5),
        (((0, 10.0), (30, 20.0)), None, 15.0, 1.0),
        (((0, 10.0), (45, 20.0)), None, 12.5, 1.0),
        (((0, 10.0), (45, 20.0)), 15 * SEC, 15.0, 0.5),
        (((0, 10.0), (45, 20.0)), 0, None, 0.0),
        (((0, 10.0), (0, 99.0), (30, 1.0)), None, 50.0, 1.0),
        (((0, 10.0), (30, None), (45, 20.0)), None, 12.5, 1.0),
        ((), None, None, 0.0),
    ],
)
def test_a_value_holds_until_the_next_one_its_expiry_or_the_end(values, carry, mean, coverage):
    trace = minute(*values)

    assert finished(trace, aggregate("time_weighted_mean", carry), *MINUTE) == mean
    assert finished(trace, aggregate("coverage", carry), *MINUTE) == coverage


@pytest.mark.parametrize(
    ("age", "carry", "mean", "coverage"),
    [
        (10, None, 15.0, 1.0),
        (10, 20 * SEC, 50 / 3, 0.5),
        (10, 10 * SEC, 20.0, 1 / 6),
        (10, 10 * SEC + 1, 20 - 10 / (10 * SEC + 2), (10 * SEC + 2) / (60 * SEC)),
        (99, 99 * SEC, 20.0, 0.5),
    ],
)
def test_a_value_from_before_holds_from_the_start_until_it_expires(age, carry, mean, coverage):
    before = known_before((-age * SEC, *PARTITIONS[0], 0, 10.0), pa.float64())
    trace = minute((30, 20.0))

    assert finished(trace, aggregate("time_weighted_mean", carry), *MINUTE, before) == pytest.approx(mean, rel=1e-15)
    assert finished(trace, aggregate("coverage", carry), *MINUTE, before) == coverage


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ((math.nan, 1.0), math.nan),
        ((math.inf, 1.0), math.inf),
        ((-math.inf, 1.0), -math.inf),
        ((-math.inf, math.inf), math.nan),
        ((1.7976931348623157e308, 1.7976931348623157e308), 1.7976931348623157e308),
        ((-0.0, -0.0), 0.0),
        ((5e-324, 5e-324), 5e-324),
    ],
)
def test_special_values_of_the_mean(values, mean):
    assert bits(finished(minute((0, values[0]), (30, values[1])), aggregate("time_weighted_mean"), *MINUTE)) == bits(
        mean
    )


def test_a_value_that_holds_for_no_time_counts_for_nothing_even_nan():
    trace = minute((10, math.nan), (10, 4.0))

    assert finished(trace, aggregate("time_weighted_mean"), *MINUTE) == 4.0
    assert finished(minute((60, 4.0)), aggregate("time_weighted_mean"), *MINUTE) is None


def test_time_in_state_speaks_of_seconds_and_is_null_only_where_nothing_was_known():
    trace = minute((0, "run"), (20, "stop"), (50, "run"), kind=pa.string())

    seconds = [finished(trace, aggregate("time_in_state", state), *MINUTE) for state in ("run", "stop", "fault")]

    assert seconds == [30.0, 30.0, 0.0]
    assert finished(trace, aggregate("time_in_state", "run", 5 * SEC), *MINUTE) == 10.0
    assert finished(minute(kind=pa.string()), aggregate("time_in_state", "run"), *MINUTE) is None


def test_a_state_of_a_float32_column_is_meant_as_such_a_float_and_zero_has_one_sign():
    trace = minute((0, 0.1), (15, -0.0), (30, math.nan), kind=pa.float32())

    assert finished(trace, aggregate("time_in_state", 0.1), *MINUTE) == 15.0
    assert finished(trace, aggregate("time_in_state", 0), *MINUTE) == 15.0
    assert finished(trace, aggregate("time_in_state", math.nan), *MINUTE) == 0.0


@pytest.mark.parametrize(
    ("readings", "before", "modulus", "delta"),
    [
        ((100, 130, 150), None, None, 50),
        ((100, 130, 20, 50), None, None, 80),
        ((100, 130, 20, 50), None, 200, 150),
        ((100,), None, None, None),
        ((100,), 90, None, 10),
        ((5,), 90, None, 5),
        ((5,), 90, 100, 15),
        ((), 90, None, None),
        ((), None, None, None),
        ((7, 7), None, None, 0),
    ],
)
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64()], ids=str)
def test_counters_count_resets_and_roll_overs(readings, before, modulus, delta, kind):
    known = None if before is None else known_before((-SEC, *PARTITIONS[0], 0, before), kind)
    trace = minute(*((10 * i, reading) for i, reading in enumerate(readings)), kind=kind)

    assert finished(trace, aggregate("counter_delta", modulus), *MINUTE, known) == delta


def test_a_reading_too_long_after_the_one_before_starts_afresh():
    trace = minute((0, 100), (10, 110), (40, 150), (50, 151), kind=pa.int64())
    before = known_before((-10 * SEC, *PARTITIONS[0], 0, 99), pa.int64())

    assert finished(trace, aggregate("counter_delta", None, 30 * SEC), *MINUTE, before) == 1 + 10 + 1
    assert finished(trace, aggregate("counter_delta", None, 30 * SEC + 1), *MINUTE, before) == 52
    assert finished(trace, aggregate("counter_delta", None, 10 * SEC), *MINUTE, before) is None


def test_a_reading_that_is_no_number_makes_the_delta_none_too():
    for values in [(math.nan, 1.0), (1.0, math.inf), (math.inf, 1.0), (1.0, -math.inf)]:
        assert math.isnan(finished(minute((0, values[0]), (1, values[1])), aggregate("counter_delta"), *MINUTE))
    assert finished(minute((0, math.nan)), aggregate("counter_delta"), *MINUTE) is None


def test_row_47_a_delta_beyond_int64_stops_and_names_its_window():
    trace = minute((0, -(2**63)), (1, 2**63 - 1), kind=pa.int64())

    with pytest.raises(PromiseBroken, match=rf"is {2**64 - 1} in window 0: it does not fit into int64"):
        finished(trace, aggregate("counter_delta"), *MINUTE)
    unsigned = minute((0, 0), (1, 2**63), kind=pa.uint64())
    with pytest.raises(PromiseBroken, match=str(2**63)):
        finished(unsigned, aggregate("counter_delta"), *MINUTE)


def test_an_unsigned_counter_rolls_over_at_the_end_of_its_type():
    trace = minute((0, 2**64 - 5), (1, 3), kind=pa.uint64())

    assert finished(trace, aggregate("counter_delta", 2**64), *MINUTE) == 8


def test_times_at_the_ends_of_int64_do_not_wrap():
    trace = traced(pa.int64(), [((2**63 - 10, *PARTITIONS[0], 0, 4), 0)])
    before = known_before((-(2**63), *PARTITIONS[0], 0, 8), pa.int64())
    for carry in (None, 5, FOR_EVER - 1):
        held = oracle.holds(
            [(2**63 - 10, *PARTITIONS[0], 0, 4)], (-(2**63), *PARTITIONS[0], 0, 8), 2**63 - 20, 2**63 - 1, carry
        )
        args = (2**63 - 20, 2**63 - 1, before)
        assert finished(trace, aggregate("coverage", carry), *args) == oracle.coverage(held, *args[:2])
        assert finished(trace, aggregate("time_weighted_mean", carry), *args) == oracle.time_weighted_mean(held)


def test_quotients_of_integers_no_double_holds_are_rounded_once():
    pairs = [(2**53 + 1, 2**62 + 3), (1, 2**53 + 1), (2**53 + 1, 2**53), (3, 7)]
    numerator, denominator = (np.array(each, np.int64) for each in zip(*pairs, strict=True))

    assert quotients(numerator, denominator).tolist() == [float(Fraction(*pair)) for pair in pairs]


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("coverage", (), FOR_EVER),
        ("coverage", (5,), 5),
        ("time_weighted_mean", (None,), FOR_EVER),
        ("time_in_state", ("run", 7), 7),
        ("time_in_state", ("run",), FOR_EVER),
        ("counter_delta", (1000, 9), 9),
        ("counter_delta", (1000,), FOR_EVER),
    ],
)
def test_carry_for_has_its_place_among_the_arguments(function, arguments, expected):
    assert carry_us(aggregate(function, *arguments)) == expected


def told_by(text):
    """What a cell of the page's table means: readings as (second, value), or one number, or nothing."""
    if text == "–":
        return None
    if " @ " in text:
        readings = [reading.split(" @ ") for reading in text.split(", ")]
        return [(int(second.removesuffix(" s")), float(value)) for value, second in readings]
    return float(Fraction(text.removesuffix(" s")))


def test_the_worked_examples_of_the_page_are_true():
    page = (Path(__file__).parents[3] / "docs" / "industrial-aggregates.md").read_text(encoding="utf-8")
    heads, *examples = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if re.match(r"\| (read before|– \||-?[\d.]+ @ )", line)
    ]
    assert heads == ["read before", "read in the window", "`carry_for`", *(f"`{name}`" for name in EXAMPLES)]
    assert len(examples) >= 10

    for before, inside, carry, *expected in examples:
        known = known_before(None, VALUES["float64"][0])
        if before != "–":
            ((second, value),) = told_by(before)
            known = known_before((second * SEC, *PARTITIONS[0], 0, value), VALUES["float64"][0])
        trace, limit = minute(*(told_by(inside) or ())), told_by(carry)
        for (name, arguments), text in zip(EXAMPLES.items(), expected, strict=True):
            planned = aggregate(name.split("(")[0], *arguments, None if limit is None else int(limit) * SEC)
            assert finished(trace, planned, *MINUTE, known) == told_by(text), (before, inside, carry, name)


EXAMPLES = {"time_weighted_mean": (), "coverage": (), "time_in_state(x, 8)": (8,), "counter_delta": (None,)}


# ---- kernels by themselves -------------------------------------------------------------------------------


@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1), st.integers(0, 5)), max_size=40), max_size=4))
def test_sorting_is_sorted_and_stable(groups):
    flat = [(event, partition, offset, i) for group in groups for i, (event, partition, offset) in enumerate(group)]
    first = np.concatenate([[0], np.cumsum([len(group) for group in groups], dtype=np.int64)]).astype(np.int64)
    sample, moved = np.array(flat, np.int64).reshape(-1, 4), np.empty(len(groups), np.bool_)

    kernels.sort_samples(sample, first, np.array([1, 0], np.int64), moved)

    for g, group in enumerate(groups):
        keyed = sorted(range(len(group)), key=lambda i: (group[i][0], 1 - group[i][1], group[i][2]))
        assert sample[first[g] : first[g + 1], kernels.BITS].tolist() == keyed
        assert moved[g] == (keyed != list(range(len(group))))


@given(st.data(), st.lists(st.tuples(st.integers(-1, 3), st.booleans()), max_size=20))
def test_grouping_is_a_dict_of_lists_and_leaves_its_scratch_clean(data, rows):
    n = len(rows)
    slot, valid = np.array([s for s, _v in rows], np.int64), np.array([v for _s, v in rows], np.bool_)
    number, place = np.arange(n, dtype=np.int64), np.zeros(4, np.int64)
    cells, first, sample = np.empty(n, np.int64), np.empty(n + 1, np.int64), np.empty((n, 4), np.int64)

    groups = kernels.group_samples(slot, valid, number + 10, number + 20, number, 6, place, cells, first, sample)

    expected = {}
    for i, (s, v) in enumerate(rows):
        if s >= 0 and v:
            expected.setdefault(s, []).append([10 + i, 6, 20 + i, i])
    told = {int(cells[g]): sample[first[g] : first[g + 1]].tolist() for g in range(groups)}
    assert told == expected
    assert list(told) == list(expected)
    assert not place.any()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2]), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**63 - 1), st.booleans()
        ),
        max_size=12,
    ),
    st.sampled_from([0, 1, 2]),
)
def test_products_are_added_exactly(terms, kind):
    limbs = np.zeros((2, kernels.DOUBLE_LIMBS), np.int64)
    exact = Fraction(0)
    for _kind, pattern, factor, negate in terms:
        flag = kernels.add_value(limbs, 1, kind, pattern, factor, negate)
        value = {0: pattern, 1: pattern % 2**64, 2: float(np.int64(pattern).view(np.float64))}[kind]
        assert (flag != 0) == (kind == 2 and not math.isfinite(value))
        if not flag:
            exact += (-1 if negate else 1) * Fraction(value) * factor

    kernels.carry_limbs(limbs)

    total = sum(int(limb) << (32 * c) for c, limb in enumerate(limbs[1]))
    assert total == exact * (2**1074 if kind == 2 else 1)
    assert ((limbs[:, :-1] >= 0) & (limbs[:, :-1] < 2**32)).all()
    assert not limbs[0].any()
