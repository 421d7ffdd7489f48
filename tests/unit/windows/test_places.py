"""Rows straight to their panes, in one pass: the same as bounds, lateness and numbering one after the other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.windows import MAX_US
from tests.unit.windows.test_hands import run, same

from arrowflow.types import MIN_US
from arrowflow.windows.kernels.pairs import FIELDS, KEY_BITS, lie_within, look_at_pane
from arrowflow.windows.kernels.panes import FOLD, LATE, NO_WINDOW, assign_hopping, judge_missed
from arrowflow.windows.keys import Coded, Values
from arrowflow.windows.kinds.build import build_kind
from arrowflow.windows.operator import KeyedWindows
from arrowflow.windows.pairs import Pairs
from arrowflow.windows.shapes import Hopping, Tumbling
from arrowflow.windows.spec import Aggregate, WindowSpec

NO_CODES = np.empty(0, np.int32)
SPACINGS = ((10, 10, 10, 0), (10, 10, 10, -3), (30, 10, 10, 7), (15, 10, 5, 0), (5, 20, 5, 3), (7, 3, 1, 1))


def one_by_one(key, event_us, clock_us, spacing, known):
    """Slots by the kernels for bounds and lateness and a dict, and how many rows are late or have missed something."""
    size, hop, pane, origin, lateness = spacing
    start, end, first, last, missed = (np.empty(len(event_us), np.int64) for _ in range(5))
    fate = np.empty(len(event_us), np.int8)
    assign_hopping(event_us, size, hop, pane, origin, start, end, first, last, fate)
    others = judge_missed(first, last, clock_us, hop, lateness, missed, fate)
    slot = [
        known.setdefault((k + (m << KEY_BITS), s), len(known)) if f == FOLD else -1
        for k, s, m, f in zip(key.tolist(), start.tolist(), missed.tolist(), fate.tolist(), strict=True)
    ]
    assert set(fate.tolist()) <= {FOLD, LATE, NO_WINDOW}
    return slot, int(others), slot.count(-1)


def batches(dice, keys):
    """Keys, event times and clocks of a few batches: small numbers, so that rows lie on every edge there is."""
    at, tolerance = int(dice.choice([-1000, 0, 10**15])), int(dice.integers(0, 20))
    disorder = int(dice.choice([0, 5, 25, 60]))
    for rows in dice.choice([1, 33, 300, 3000], 3).tolist():
        event = at + np.sort(dice.integers(0, 60, rows)) - dice.integers(0, disorder + 1, rows)
        clock = np.maximum.accumulate(event) - tolerance
        clock[: rows // 10] = MIN_US
        at += 60
        yield dice.integers(0, keys, rows).astype(np.int32), event, clock


@pytest.mark.parametrize("spacing", SPACINGS)
def test_rows_are_placed_as_one_by_one(spacing):
    seen = np.zeros(2, np.int64)
    for seed in range(30):
        dice = np.random.default_rng(seed)
        pairs, known = Pairs(), {}
        keys, lateness = int(dice.choice([1, 7, 100])), int(dice.choice([0, 1, 12, MAX_US]))
        for code, event, clock in batches(dice, keys):
            number, slot = dice.permutation(keys), np.full(len(event), 99)
            keys_given = (code, number) if seed % 2 else (NO_CODES, number[code])
            others, lost = pairs.place(*keys_given, event, clock, np.array([*spacing, lateness], np.int64), slot)

            expected = one_by_one(number[code], event, clock, (*spacing, lateness), known)
            assert (slot.tolist(), others, lost) == expected, seed
            seen += (others - lost, lost)
            gone = dice.permutation(len(known))[: len(known) * seed // 60]
            pairs.forget(gone)
            names = list(known)
            known = {("gone", n) if n in set(gone.tolist()) else names[n]: n for n in range(len(names))}
        left, right = pairs.left.tolist(), pairs.right.tolist()
        assert [pair for pair in zip(left, right, strict=True) if pair[0] >= 0] == [
            pair for pair in known if pair[0] != "gone"
        ]
    assert seen[1] > 0
    assert (seen[0] > 0) == (spacing[0] > spacing[1]), "where windows overlap, rows miss some of them"


@settings(deadline=None)
@given(st.sampled_from(SPACINGS), st.integers(-500, 500), st.sampled_from([0, 4, MAX_US]))
def test_a_pane_looked_at_is_the_one_a_row_is_assigned_to(spacing, event, lateness):
    pane, (start, end, first, last) = np.empty(FIELDS, np.int64), (np.empty(1, np.int64) for _ in range(4))
    fate = np.empty(1, np.int8)
    assign_hopping(np.array([event]), *spacing, start, end, first, last, fate)

    look_at_pane(event, np.array([*spacing, lateness], np.int64), pane)

    if fate[0] == NO_WINDOW:
        assert pane[0] == pane[1]
    else:
        assert pane.tolist() == [start[0], end[0], first[0], last[0], min(MAX_US, int(first[0]) + lateness)]


@pytest.mark.parametrize(
    ("events", "within"), [([], True), ([5, -5], True), ([5, -6], False), ([6], False), ([MIN_US], False)]
)
def test_times_lie_within_a_range_or_not(events, within):
    assert lie_within(np.array(events, np.int64), -5, 5) is within


@pytest.mark.parametrize(
    ("window", "correct_for"),
    [
        (Tumbling(45_000, 7), None),
        (Tumbling(45_000, 7), 40_000),
        (Hopping(45_000, 15_000), None),
        (Hopping(10_000, 25_000, -3), None),
        (Hopping(20_000, 15_000), None),
    ],
    ids=str,
)
def test_an_operator_tells_the_same_whichever_way_rows_go(window, correct_for, monkeypatch):
    asked = {"lateness_us": 30_000, "correct_for_us": correct_for}
    placed = run(window, seed=5, **asked)
    monkeypatch.setattr(KeyedWindows, "_build_spacing", lambda self: None)
    assigned = run(window, seed=5, **asked)

    assert [at for at, pair in enumerate(zip(placed, assigned, strict=True)) if not same(*pair)] == []


@pytest.mark.parametrize("event", [MIN_US, MIN_US + 25, MAX_US - 25, MAX_US])
def test_rows_near_the_ends_of_time_go_the_other_way_and_are_told_of(event):
    spec = WindowSpec(Tumbling(20), ("k",), (Aggregate("n", "count"),))
    operator = spec.build(pa.schema([("k", pa.string())]))

    assert operator._spacing_of(np.array([0, event])) is None
    assert operator._spacing_of(np.array([0, MIN_US + 40, MAX_US - 40])) is not None


@pytest.mark.parametrize(("window", "far"), [(Tumbling(2**60), True), (Tumbling(2**60 + 1), False)])
def test_windows_too_long_to_look_beyond_them_go_the_other_way(window, far):
    operator = WindowSpec(window, ("k",), (Aggregate("n", "count"),)).build(pa.schema([("k", pa.string())]))

    assert (operator._spacing is not None) is far


@pytest.mark.parametrize("start", [-1000, -7, 0, 3, 995])
@pytest.mark.parametrize("missed", [0, 2])
def test_a_new_pane_waits_for_the_first_window_its_rows_did_not_miss(start, missed):
    window = Hopping(15, 10, 3)
    spec = WindowSpec(window, ("k",), (Aggregate("n", "count"),))
    kind = build_kind(spec.build(pa.schema([("k", pa.string())]))._plan)
    event = np.array([start + 3])
    panes = kind.assign(event, (), None)
    panes.missed[:] = missed

    assert kind.spaced_next(panes.start_us, panes.missed).tolist() == kind.born_next(panes, np.array([0])).tolist()


@pytest.mark.parametrize("code", [[0, 2], [-3, 0]])
def test_a_code_that_its_dictionary_does_not_have_reads_no_foreign_memory(code):
    column = pa.DictionaryArray.from_arrays(pa.array(code, pa.int32()), pa.array(["a", "b"]), safe=False)

    with pytest.raises(IndexError):
        Values(pa.string()).code(column)


@pytest.mark.parametrize("index", [pa.int8(), pa.int32(), pa.int64()], ids=str)
@pytest.mark.parametrize("words", [["a", "b", "a"], ["a", None, "b"], []], ids=str)
def test_codes_say_the_same_numbers(words, index):
    column = pa.array(words, pa.string()).dictionary_encode()
    column = pa.DictionaryArray.from_arrays(column.indices.cast(index), column.dictionary)
    values, other = Values(pa.string()), Values(pa.string())

    coded = values.code(column)

    assert isinstance(coded, Coded)
    assert (coded.number[coded.code] if len(coded.code) else coded.number).tolist() == other.number(column).tolist()
    assert bool(len(coded.code)) == (index == pa.int32() and None not in words and len(words) > 0)
