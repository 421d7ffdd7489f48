"""What comes out is a function of the rows of each partition: not of pushes, of their order, of libraries or of restarts."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.windows import Row, solve, tumbling
from tests.unit.api.frames import FORMS, table

import arrowflow as af

SECOND = 1_000_000
TOLERANCE, LATENESS = 4, 3
WINDOWS = {
    "tumbling": af.Tumbling("10s", origin="3s"),
    "hopping": af.Hopping("10s", "4s"),
    "cumulative": af.Cumulative("12s", "4s"),
    "sliding": af.Sliding("6s"),
    "session": af.Session("4s", max_length="15s"),
    "shifts": af.Shifts(af.PlantCalendar("line", {"a": "UTC", "b": "America/Tijuana"}, {"T1": "00:00-12:00"})),
}

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.sampled_from([0.1, 0.2, -1e17, 1e17, None]),
        st.one_of(st.none(), st.integers(-40, 40), st.just(43_200)),
        st.sampled_from([0, 1, 2]),
    ),
    max_size=40,
)
CUTS = st.lists(st.integers(0, 40), max_size=6)
FORM = st.sampled_from(sorted(FORMS))


PLAIN = {"n": "count()", "total": "sum(speed)", "first": "first(speed)", "last": "last(speed)"}
ORDERED = {"mean": 'time_weighted_mean(speed, "20s")', "known": "coverage(speed)", "middle": "quantile(speed, 0.5)"}


def operator(kind, aggregate=PLAIN, **settings):
    return af.WindowOperator(
        WINDOWS[kind],
        by="line",
        aggregate=aggregate,
        time="ts",
        max_out_of_orderness=f"{TOLERANCE}s",
        allowed_lateness=f"{LATENESS}s",
        partition="part",
        **settings,
    )


def pieces(rows, cuts):
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    return [rows[start:stop] for start, stop in pairwise(edges)]


def plain(tables):
    """Rows as a sorted multiset; late rows keep their library's zone, so instants are compared."""
    rows = [row for each in tables for row in each.to_pylist()]
    return sorted([tuple((k, text(v)) for k, v in row.items() if k != "__af_closed_by") for row in rows])


def text(value):
    return repr(value.timestamp() if isinstance(value, dt.datetime) else value)


def run(op, pushes, form="table"):
    """Everything that came out, as multisets: results, late rows, rejected rows."""
    out, late, rejected = [], [], []
    for rows in pushes:
        out.append(op.push(FORMS[form](table(rows))))
        late.append(op.late)
        rejected.append(op.rejected)
    out.append(op.finish())
    return plain(out), plain(late), plain(rejected), op.watermark_us, op.balance


@pytest.mark.parametrize("kind", WINDOWS)
@settings(max_examples=30)
@given(rows=ROWS, cuts=CUTS, form=FORM)
def test_cutting_the_pushes_anywhere_changes_nothing(kind, rows, cuts, form):
    """Partitions are met as they come; also where they join does not hang on the cuts."""
    assert run(operator(kind), pieces(rows, cuts), form) == run(operator(kind), [rows])


@pytest.mark.parametrize("kind", sorted({*WINDOWS} - {"sliding"}))
@settings(max_examples=30)
@given(rows=ROWS, cuts=CUTS)
def test_no_window_comes_out_twice(kind, rows, cuts):
    op = operator(kind)
    came = [row for piece in pieces(rows, cuts) for row in op.push(table(piece)).to_pylist()] + op.finish().to_pylist()

    windows = [(row["line"], row["window_start"], row["window_end"]) for row in came]
    assert len(set(windows)) == len(windows)


@pytest.mark.parametrize("kind", WINDOWS)
@settings(max_examples=30)
@given(rows=ROWS, cuts=CUTS, dice=st.randoms(use_true_random=False))
def test_with_partitions_named_their_interleaving_changes_nothing(kind, rows, cuts, dice):
    queues = {part: [row for row in rows if row[3] == part] for part in (0, 1, 2)}
    mixed = []
    while any(queues.values()):
        mixed.append(queues[dice.choice([part for part, queue in queues.items() if queue])].pop(0))

    named = {"partitions": [0, 1, 2]}
    assert run(operator(kind, **named), pieces(mixed, cuts)) == run(operator(kind, **named), [rows])


@settings(max_examples=30)
@given(rows=ROWS, cuts=CUTS, form=FORM)
def test_what_comes_out_is_what_plain_python_says(rows, cuts, form):
    told = [
        Row("", part, sum(row[3] == part for row in rows[:at]), second * SECOND, (line,), {"speed": speed})
        for at, (line, speed, second, part) in enumerate(rows)
        if second is not None
    ]
    aggregates = [
        ("n", "count", None),
        ("total", "sum", "speed"),
        ("first", "first", "speed"),
        ("last", "last", "speed"),
    ]
    answer = solve(
        told,
        lambda row: tumbling(row.event_us, 10 * SECOND, 3 * SECOND),
        aggregates,
        TOLERANCE * SECOND,
        LATENESS * SECOND,
    )

    op, out, late = operator("tumbling", partitions=[0, 1, 2]), [], set()
    for piece in pieces(rows, cuts):
        out += op.push(FORMS[form](table(piece))).to_pylist()
        late |= {("", row["_partition"], row["_offset"]) for row in op.late.to_pylist()}
    out += op.finish().to_pylist()

    names = [name for name, _, _ in aggregates]
    found = {((row["line"],), row["window_start"].timestamp()): [repr(row[name]) for name in names] for row in out}
    assert len(found) == len(out)
    assert found == {
        (key, window.start / SECOND): [repr(result[name]) for name in names]
        for (key, window), result in answer.results.items()
    }
    assert late == set(answer.late)


class Restarted:
    """An operator that is put away before every call and taken up by another."""

    def __init__(self, make):
        self.make = make
        self.op = make()

    def __getattr__(self, name):
        return getattr(self.op, name)

    def push(self, frame):
        self.restart()
        return self.op.push(frame)

    def finish(self):
        self.restart()
        return self.op.finish()

    def restart(self):
        after = self.make()
        after.restore(self.op.snapshot())
        self.op = after


@pytest.mark.parametrize("kind", WINDOWS)
@settings(max_examples=30)
@given(rows=ROWS, cuts=CUTS, form=FORM)
def test_a_restart_from_a_snapshot_anywhere_changes_nothing(kind, rows, cuts, form):
    assert run(Restarted(lambda: operator(kind)), pieces(rows, cuts), form) == run(operator(kind), [rows])


@pytest.mark.parametrize("kind", ["tumbling", "hopping", "session"])
@settings(max_examples=30)
@given(rows=ROWS, cuts=CUTS)
def test_aggregates_that_need_their_neighbours_are_the_same_too(kind, rows, cuts):
    whole = run(operator(kind, ORDERED), [rows])

    assert run(operator(kind, ORDERED), pieces(rows, cuts)) == whole
    assert run(Restarted(lambda: operator(kind, ORDERED)), pieces(rows, cuts)) == whole


@settings(max_examples=30)
@given(rows=ROWS, cuts=CUTS)
def test_the_newest_revisions_are_the_same_wherever_pushes_are_cut(rows, cuts):
    def newest(pushes):
        op, last = operator("tumbling", correct_for="1m", partitions=[0, 1, 2]), {}
        for each in [*(op.push(table(rows)) for rows in pushes), op.finish()]:
            for row in each.drop_columns("__af_closed_by").to_pylist() if each.num_rows else []:
                window = (row["line"], row["window_start"])
                before, _ = last.get(window, (0, ""))
                revision = row.pop("__af_revision")
                assert revision == before + 1
                last[window] = (revision, repr(row))
        return {window: row for window, (_, row) in last.items()}

    assert newest(pieces(rows, cuts)) == newest([rows])


@settings(max_examples=30)
@given(rows=ROWS, cuts=CUTS)
def test_the_watermark_never_falls_and_every_row_is_accounted_for(rows, cuts):
    op, before = operator("tumbling"), -(2**63)
    for piece in pieces(rows, cuts):
        op.push(table(piece))
        # A partition first met later may have no time yet, but it joins at the watermark and never below.
        assert (op.watermark_us or before) >= before
        before = op.watermark_us or before

    balance = op.balance
    assert balance.read == balance.accounted == len(rows)
