"""Open windows take no more memory than they may: the operator stops before, and says what it holds and what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from tests.oracles.windows import Row
from tests.unit.windows.custom import Spread
from tests.unit.windows.drive import Drive

from arrowflow.errors import StateTooLarge
from arrowflow.windows.room import Room, bytes_of, size_of
from arrowflow.windows.spec import Aggregate, Hopping, Session, Sliding, Tumbling, WindowSpec

WORKER = Path(__file__).with_name("room_worker.py")
ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024
SCHEMA = pa.schema(
    [("k", pa.string()), ("x", pa.float64()), ("s", pa.string()), ("i", pa.int64()), ("d", pa.decimal128(20, 2))]
)
HOUR = 3_600_000_000


def worked(keys, rows, limit):
    """What a process of its own took to fold a stream."""
    command = [sys.executable, str(WORKER), keys, str(rows), str(limit)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    told = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=300)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.mark.jit
def test_row_43_ever_new_keys_stop_the_operator_before_they_take_more_memory_than_they_may():
    told = worked("new", 300_000, 32 * MIB)

    assert 50_000 <= told["folded"] < 300_000
    assert told["grown"] < 40 * MIB, "the slice that could not be folded, and what was read, beside the 32"
    assert "max_state_bytes is 33,554,432" in told["stopped"]
    assert "tumbling windows (or panes) of" in told["stopped"]
    assert "no key has 1 % of it" in told["stopped"]
    assert "group by fewer values" in told["stopped"]


@pytest.mark.jit
def test_row_43_a_key_with_99_percent_of_the_rows_takes_no_more_than_any_other():
    told = worked("one", 300_000, MIB)

    assert (told["folded"], told["stopped"], told["open"]) == (300_000, None, 1000)
    assert told["bytes"] < MIB
    assert told["grown"] < 16 * MIB


@pytest.mark.jit
def test_what_a_state_says_it_takes_is_what_the_process_grows_by():
    told = worked("new", 300_000, 1024 * MIB)

    assert told["folded"] == 300_000
    assert told["bytes"] > 40 * MIB
    assert told["grown"] < 1.25 * told["bytes"] + 8 * MIB
    assert told["grown"] > 0.75 * told["bytes"]


PER_ROW = ("samples", "samples of strings", "distinct numbers", "distinct strings", "distinct decimals", "buckets")
KEEPERS = {
    "samples": Aggregate("a", "coverage", "x"),
    "samples of strings": Aggregate("a", "time_in_state", "s", ("on",)),
    "distinct numbers": Aggregate("a", "count_distinct", "x", (1_000_000,)),
    "distinct strings": Aggregate("a", "count_distinct", "s", (1_000_000,)),
    "distinct decimals": Aggregate("a", "count_distinct", "d"),
    "registers": Aggregate("a", "count_distinct", "x", (1,)),
    "buckets": Aggregate("a", "quantile", "x", (0.5,)),
    "the longest string": Aggregate("a", "max", "s"),
    "the last string": Aggregate("a", "last", "s"),
    "the user's own": Aggregate("a", Spread(), "i"),
    "a sum that spills": Aggregate("a", "sum", "x"),
}


def rows(n, keys=1, text=100, number=float):
    """Rows of few keys that make every aggregate hold as much as it can."""
    for i in range(n):
        values = {"x": number(i), "s": f"{i:0{text}d}", "i": i, "d": Decimal(i)}
        yield Row("t", 0, i, i, (f"k{i % keys}" if i % 10 == 0 else "heavy",), values)


def fold_all(drive, stream, step):
    """Fold rows in slices."""
    while batch := list(islice(stream, step)):
        drive.fold(batch)


@pytest.mark.parametrize("kept", KEEPERS)
def test_what_python_objects_take_is_counted_and_the_key_that_has_most_is_named(kept):
    # What grows with rows does so in a few panes, for which nothing but the objects grows; the rest needs many panes.
    limit, size = (200_000, 10**9) if kept in PER_ROW else (MIB, 20)
    drive = Drive(WindowSpec(Tumbling(size), ("k",), (KEEPERS[kept],), max_state_bytes=limit), SCHEMA)
    number = {"a sum that spills": lambda i: 1e300, "buckets": lambda i: 1.017**i}.get(kept, float)
    stream = rows(40_000, 40, number=number)

    with pytest.raises(StateTooLarge, match=r"k = 'heavy': [1-9]"):
        fold_all(drive, stream, 200)

    beyond = 200 * (17_000 if kept == "registers" else 600)
    assert drive.operator.state_bytes < 1.3 * limit + beyond, "what one slice brought, and spills of new panes"


@pytest.mark.jit
@pytest.mark.parametrize(("text", "function"), [(1, "count"), (1, "var"), (400, "count")])
def test_whatever_grows_first_the_arrays_never_take_more_than_they_may(text, function):
    """Limits all the way through two doublings, so that each array is once the one that does not fit any more."""
    spec = WindowSpec(Tumbling(HOUR), ("k",), (Aggregate("a", function, "x"),))
    for limit in range(200_000, 900_000, 7_000):
        drive = Drive(replace(spec, max_state_bytes=limit), SCHEMA)
        stream = (Row("t", 0, i, i, (f"{i:0{text}d}",), {"x": 1.0, "s": "", "i": 0, "d": None}) for i in range(10**5))

        with pytest.raises(StateTooLarge):
            fold_all(drive, stream, 100)

        assert drive.operator.state_bytes <= limit


@pytest.mark.parametrize("window", [Tumbling(20), Hopping(40, 20), Sliding(5), Session(3), Session(3, 100)], ids=repr)
@pytest.mark.parametrize("by", [("k",), ("k", "s"), ()], ids=len)
def test_every_kind_of_window_stops_before_it_takes_more_than_it_may(window, by):
    drive = Drive(WindowSpec(window, by, (Aggregate("n", "count"),), max_state_bytes=2 * MIB), SCHEMA)

    values = {"k": "k", "s": "s", "x": 0.0, "i": 0, "d": None}
    key = tuple(values[name] for name in by)
    stream = (Row("t", 0, i, 10 * i, key, values) for i in range(2_000_000))

    with pytest.raises(StateTooLarge, match=f"{window.fingerprint()['kind']} windows"):
        fold_all(drive, stream, 2000)

    assert drive.operator.state_bytes <= 2 * MIB


def test_a_state_of_more_than_is_allowed_is_not_restored_and_one_of_less_goes_on():
    spec = WindowSpec(Tumbling(20), ("k",), (Aggregate("c", "coverage", "x"),))
    drive = Drive(spec, SCHEMA)
    drive.fold(list(rows(5000, text=1)))
    took, table = drive.operator.state_bytes, drive.operator.snapshot()

    with pytest.raises(StateTooLarge, match="max_state_bytes is 100,000"):
        replace(spec, max_state_bytes=100_000).build(SCHEMA).restore(table, [])
    other = replace(spec, max_state_bytes=2 * took).build(SCHEMA)
    other.restore(table, [])

    assert other.digest() == drive.operator.digest()
    assert other.state_bytes < 2 * took


def test_a_limit_is_no_other_query():
    spec = WindowSpec(Tumbling(20), ("k",), (Aggregate("n", "count"),))

    assert replace(spec, max_state_bytes=MIB).fingerprint() == spec.fingerprint()


def test_objects_are_visited_only_when_they_may_be_too_many():
    visits = []

    def objects():
        visits.append(len(visits))
        return 300

    room = Room(1000, lambda: 500, objects, lambda wanted, limit: f"{wanted} of {limit}")
    room.brought(400)
    assert visits == []
    room.brought(400)  # 1300 at most, 800 as it turns out
    assert visits == [0]
    room.admit(200)
    assert visits == [0]

    with pytest.raises(StateTooLarge, match="1001 of 1000"):
        room.admit(201)


def test_without_a_limit_nothing_is_visited():
    room = Room(None, lambda: 10**12, lambda: pytest.fail("visited"), lambda wanted, limit: "")

    room.brought(10**12)
    room.visit()
    room.admit(10**12)


def test_the_size_of_a_container_is_its_own_and_that_of_what_is_in_it():
    text, blob = "x" * 100, b"y" * 50

    assert size_of(None) == size_of(7) == 0
    assert size_of(2**70) == sys.getsizeof(2**70)
    assert size_of((text, None)) == sys.getsizeof((text, None)) + sys.getsizeof(text)
    assert size_of([(blob,)]) == sys.getsizeof([0]) + sys.getsizeof((blob,)) + sys.getsizeof(blob)
    assert size_of(frozenset([text])) == sys.getsizeof(frozenset([text])) + sys.getsizeof(text)
    assert size_of({text: blob}) == sys.getsizeof({text: blob}) + sys.getsizeof(text) + sys.getsizeof(blob)
    assert bytes_of([text, text]) == 2 * sys.getsizeof(text)
