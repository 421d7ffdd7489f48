"""The second thread of an operator: it changes when work is done, and nothing else."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.types import PartitionClock, RawBatch, RowBatch, SourcePartition
from arrowflow.windows import state
from arrowflow.windows.clocks import tick, watermark_us
from arrowflow.windows.hands import Hands, Sheets
from arrowflow.windows.spec import Aggregate, Hopping, Session, Tumbling, WindowSpec

SCHEMA = pa.schema([("key", pa.string()), ("x", pa.float64()), ("i", pa.int64()), ("s", pa.string())])
ASKED = (
    Aggregate("n", "count"),
    *(Aggregate(f"{f}_x", f, "x") for f in ("sum", "min", "last", "stddev")),
    *(Aggregate(f"{f}_i", f, "i") for f in ("sum", "count_distinct")),
    Aggregate("max_s", "max", "s"),
)
SLICE, TOLERANCE_US = 500, 150_000


def slices(partition, seed):
    """Rows of one partition, a few slices of them, with few keys at first and ever more: the state grows all along."""
    dice = np.random.default_rng(seed)
    for low in range(0, 9 * SLICE, SLICE):
        event_us = low * 100 + dice.integers(0, 3 * SLICE * 100, SLICE)
        key = dice.integers(0, 1 + low // 15, SLICE)
        x = dice.normal(size=SLICE)
        x[::50] = dice.choice([np.nan, np.inf, 1e300, -0.0], len(x[::50]))
        table = pa.table(
            {
                "key": pa.array([f"k{number}" for number in key]).dictionary_encode(),
                "x": pa.array(x, mask=dice.random(SLICE) < 0.1, from_pandas=False),
                "i": dice.integers(-5, 2**40, SLICE),
                "s": pa.array([f"s{number % 7}" for number in key]),
            }
        )
        nothing = pa.nulls(SLICE, pa.binary())
        offset = np.arange(low, low + SLICE)
        raw = RawBatch(
            SourcePartition("in", "t", partition), offset, event_us, np.zeros(SLICE, np.bool_), nothing, nothing
        )
        yield raw, table, event_us


def run(window, seed, *, lateness_us=0, correct_for_us=None):
    """Everything an operator tells about two partitions: results, deltas, digests."""
    operator = WindowSpec(window, ("key",), ASKED, lateness_us, "pipeline", correct_for_us).build(SCHEMA)
    clocks, told = {}, []
    for turn, pair in enumerate(zip(slices(0, seed), slices(1, seed + 1), strict=True)):
        for raw, table, event_us in pair:
            before = clocks.get(raw.partition, PartitionClock())
            ticked = tick(before, event_us, np.ones(SLICE, np.bool_), None, TOLERANCE_US)
            clocks[raw.partition] = ticked.clock
            few = slice(0, 20 if turn % 5 == 4 else SLICE)  # too few rows to be worth a thread
            part = RowBatch(raw, np.arange(SLICE)[few], table[few], event_us[few], ticked.clock_us[few])
            folded = operator.fold(part)
            told.append((folded.folded, *(_rows(late) for late in (folded.late, folded.missed)), folded.filtered))
            told.append(operator.folded_rows)
        told += [operator.delta()] if turn % 3 == 0 else []
        told += [operator.close({}, watermark_us(clocks, TOLERANCE_US)).table] if turn % 3 == 1 else []
        told += [operator.digest()] if turn % 4 == 2 else []
        told += [operator.interim()] if turn % 4 == 3 else []
    told += [operator.snapshot(), operator.close_fed_by(None, "end").table]
    return told


def _rows(late):
    return None if late is None else (late.row.tolist(), late.window_start_us.tolist(), late.window_end_us.tolist())


def same(left, right):
    if isinstance(left, pa.Table):  # NaN is no reason to differ
        return left.schema.equals(right.schema) and all(
            repr(a.to_pylist()) == repr(b.to_pylist()) for a, b in zip(left.columns, right.columns, strict=True)
        )
    return left == right


class Idle(Hands):
    """Does nothing until it is waited for: whoever forgets to wait sees the state as it was."""

    def give(self, work):
        self.rest()
        self.given = work

    def rest(self):
        work, self.given = getattr(self, "given", None), None
        if work is not None:
            work()


@pytest.mark.parametrize("hands", [Hands, Idle])
@pytest.mark.parametrize(
    ("window", "correct_for_us"),
    [(Tumbling(45_000), None), (Tumbling(45_000), 90_000), (Hopping(45_000, 15_000), None), (Session(10_000), None)],
    ids=str,
)
def test_work_beside_gives_what_work_inline_gives(window, correct_for_us, hands, monkeypatch):
    inline = run(window, seed=3, correct_for_us=correct_for_us)
    monkeypatch.setattr(state, "WORTH_IT", 100)
    monkeypatch.setattr(state, "Hands", hands)
    beside = run(window, seed=3, correct_for_us=correct_for_us)

    assert [at for at, pair in enumerate(zip(beside, inline, strict=True)) if not same(*pair)] == []


def test_work_is_done_in_order_one_piece_at_a_time_and_by_another_thread():
    hands, seen = Hands(), []
    for number in range(50):
        hands.give(lambda number=number: seen.append((number, threading.get_ident())))
    hands.rest()

    assert [number for number, _thread in seen] == list(range(50))
    assert len({thread for _number, thread in seen} | {threading.get_ident()}) == 2


def test_what_work_raises_is_raised_once_where_it_is_waited_for():
    hands = Hands()
    hands.give(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        hands.rest()
    hands.rest()


def test_the_thread_ends_with_its_owner():
    hands, names = Hands(), []
    hands.give(lambda: names.append(threading.current_thread()))
    hands.rest()
    del hands

    names[0].join(10)
    assert not names[0].is_alive()


def test_an_operator_that_nobody_holds_is_gone_with_its_memory_at_once():
    """A program that runs one job after the other would hold the states of all until the collector comes round."""
    operator = WindowSpec(Tumbling(10), ("k",), (Aggregate("n", "count"),), max_state_bytes=1 << 20).build(
        pa.schema([("k", pa.string())])
    )
    held = weakref.ref(operator._state)
    gc.disable()
    try:
        del operator
        assert held() is None
    finally:
        gc.enable()


def test_a_sheet_is_written_to_again_only_after_another_one():
    sheets = Sheets()
    first, second, third = (sheets.lend(n) for n in (5, 3, 4))

    assert [len(sheet) for sheet in (first, second, third)] == [5, 3, 4]
    assert not np.shares_memory(first, second)
    assert np.shares_memory(first, third)
    assert not np.shares_memory(second, sheets.lend(4)), "one that is too short is replaced"


def test_a_long_sheet_is_not_kept():
    sheets = Sheets()
    long, short, other = sheets.lend(1 << 18), sheets.lend(9), sheets.lend(9)

    assert not any(np.shares_memory(long, sheet) for sheet in (short, other, sheets.lend(9)))
