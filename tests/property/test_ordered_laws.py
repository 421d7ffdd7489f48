"""The ordered aggregates in every kind of window: what was last known before a window is carried in, however rows came."""

from __future__ import annotations

from dataclasses import fields, replace

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles import traces
from tests.oracles.windows import Row, place, solve, solve_by_rows, tumbling
from tests.property.test_window_laws import BY_ROWS, alone, grouped, law, normal, overlapping, run, streams, windows_of
from tests.unit.windows.drive import Drive

from arrowflow.windows.spec import Aggregate, Cumulative, Hopping, Sliding, Tumbling, WindowSpec

SCHEMA = pa.schema(
    [("site", pa.string()), ("line", pa.int64()), ("x", pa.float64()), ("i", pa.int64()), ("s", pa.string())]
)
CARRIES = st.sampled_from([None, "1ms", "20ms", "100ms"])
MS = 1000
KINDS = st.one_of(st.builds(Tumbling, st.sampled_from([1, 7, 30]), st.integers(-50, 50)), overlapping(), BY_ROWS)


def aggregates(carry):
    rest = () if carry is None else (carry,)
    return (
        Aggregate("n", "count"),
        Aggregate("mean", "time_weighted_mean", "x", rest),
        Aggregate("known", "coverage", "i", rest),
        Aggregate("in_a", "time_in_state", "s", ("a", *rest)),
        Aggregate("made", "counter_delta", "i", rest),
    )


def answer_of(window, everyone, tolerance, lateness):
    if isinstance(window, Tumbling):
        return solve(
            everyone, lambda row: tumbling(row.event_us, window.size_us, window.origin_us), [], tolerance, lateness
        )
    if isinstance(window, Hopping | Cumulative):
        return solve(everyone, lambda row: windows_of(window, row.event_us), [], tolerance, lateness)
    return solve_by_rows(
        everyone, lambda times: grouped(window, times), lambda event: alone(window, event), [], tolerance, lateness
    )


def samples(rows, column):
    return [
        (row.event_us, "in", row.topic, row.partition, row.offset, row.values[column])
        for row in rows
        if row.values[column] is not None
    ]


def wanted(window, at, members, folded, carry):
    limit = at.start + (isinstance(window, Sliding) and window.closed == "right")
    held, inside, before = {}, {}, {}
    for column in "xis":
        inside[column] = samples(members, column)
        before[column] = traces.last_before(samples(folded, column), limit)
        held[column] = traces.holds(inside[column], before[column], at.start, at.end, carry)
    return (
        len(members),
        traces.time_weighted_mean(held["x"]),
        traces.coverage(held["i"], at.start, at.end),
        traces.time_in_state(held["s"], "a"),
        traces.counter_delta(inside["i"], before["i"], carry),
    )


@law
@given(
    st.data(),
    KINDS,
    CARRIES,
    st.sampled_from([0, 5, 30]),
    st.sampled_from(["pipeline", "partition"]),
    st.sampled_from([0, 3, 25]),
)
def test_what_was_known_before_a_window_is_carried_in_whatever_the_cutting(
    data, window, carry, lateness, scope, tolerance
):
    drawn = data.draw(streams(partitioned=scope == "partition", base=st.sampled_from([0, -37])))
    rows = {part: [replace(row, event_us=row.event_us * MS) for row in stream] for part, stream in drawn.items()}
    window, lateness, tolerance = in_milliseconds(window), lateness * MS, tolerance * MS
    spec = WindowSpec(window, ("site", "line"), aggregates(carry), lateness, scope)

    outcome = run(data, spec, rows, tolerance)

    everyone = [row for stream in rows.values() for row in stream]
    answer = answer_of(window, everyone, tolerance, lateness)
    lost = {**answer.late, **answer.rejects}
    folded = [row for row in everyone if place(row) not in lost and place(row) not in answer.between]
    carry_us = None if carry is None else int(carry[:-2]) * MS
    expected = sorted(
        repr((key, at.start, at.end, [normal(v) for v in wanted(window, at, members, of_key(folded, key), carry_us)]))
        for (key, at, *_n), members in answer.members.items()
    )
    found = sorted(
        repr(
            (
                (row["site"], row["line"]),
                row["window_start"],
                row["window_end"],
                [normal(row[name]) for name in ("n", "mean", "known", "in_a", "made")],
            )
        )
        for row in outcome.results
    )
    assert found == expected


def of_key(rows, key):
    return [row for row in rows if row.key == key]


def in_milliseconds(window):
    times = {f.name: getattr(window, f.name) for f in fields(window) if f.name != "closed"}
    return replace(window, **{name: value and value * MS for name, value in times.items()})


def test_after_a_restart_what_was_last_known_is_still_known():
    """Sessions and plain windows do not store when a carried sample was measured: it is read from the sample."""
    at = 1_762_000_000_000_000
    spec = WindowSpec(Tumbling(10 * MS), ("site", "line"), (Aggregate("made", "counter_delta", "i", ("5s",)),))
    drive = Drive(spec, SCHEMA)
    for offset, (event, i) in enumerate([(at, 5), (at + 20 * MS, 9), (at + 40 * MS, 30)]):
        key = ("a", 1) if offset != 1 else ("b", 1)
        drive.fold([Row("t", 0, offset, event, key, {"x": None, "i": i, "s": None})])
        drive.close()
        drive.crash(full=False)

    found = {(row["site"], row["window_start"]): row["made"] for row in drive.finish().results}
    assert found["a", at + 40 * MS] == 25
