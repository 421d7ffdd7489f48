"""Partitions that appear while a job runs: whenever they are noticed, the answer is the one the record's floor says.

Noticing decides one thing only, the floor at which a partition joins, and that is in the record. A loop over the rows with that
floor, which knows nothing of epochs, must find the same rows late and the same results.
"""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from tests.support.small import pipeline, places, results, window
from tests.unit.phases.test_recovery import records

from arrowflow.engine import start
from arrowflow.pipeline import EventTime, RunOptions
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec

TOLERANCE_S, SIZE_S = 5, 10
CAUGHT_UP = RunOptions(until_caught_up=True, take_over=True)
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)


def stream(dice, partitions, rows):
    """Rows in the order they are produced: (partition, second), each partition out of order by more than the tolerance at times."""
    return [
        (dice.randrange(partitions), max(0, 2 * turn - dice.choice((0, 0, 0, 1, 4, 8, 15)))) for turn in range(rows)
    ]


def expected(produced, floors):
    """Results and late rows of a loop over each partition's rows, given the floor at which each joined."""
    windows, late, offsets, newest = Counter(), [], Counter(), {}
    for part, second in produced:
        clock = max(newest.get(part, -(10**9)) - TOLERANCE_S, floors.get(part, -(10**9)))
        begin = second // SIZE_S * SIZE_S
        if begin + SIZE_S <= clock:
            late.append((part, offsets[part], "behind_clock"))
        else:
            windows["a", begin] += 1
        offsets[part] += 1
        newest[part] = max(second, newest.get(part, second))
    return sorted((*name, n, float(n)) for name, n in windows.items()), sorted(late)


def joined(folder):
    """Partition to the floor, in seconds, of the first record that tells of it; those of the first record have none."""
    floors = {}
    for record in records(folder):
        for part in record["inputs"]:
            floor = part["clock"]["floor_us"]
            floors.setdefault(part["partition"], -(10**9) if floor is None else floor // 1_000_000)
    return floors


@pytest.mark.parametrize("seed", range(4))
def test_partitions_noticed_at_any_moment_give_the_answer_of_the_floor_at_which_they_joined(seed, tmp_path):
    dice = random.Random(seed)
    broker, produced = MemoryBroker(), []
    broker.create("events", 1)
    there, backlog = 1, 0
    job = pipeline(
        tmp_path, MemorySourceSpec(broker, ("events",)), event_time=EventTime("t", TOLERANCE_S * 1_000_000), operator=window(),
        max_epoch_rows=dice.choice((3, 7, 1000)), max_slice_rows=dice.choice((2, 50)), discover_every_s=0.0,
    )  # fmt: skip
    added = sorted(dice.sample(range(30, 140), 3))
    for turn, (part, second) in enumerate(stream(dice, 4, 160)):
        if turn in added:
            there, backlog = there + 1, 5
            broker.add_partitions("events", there)
        part = min(part, there - 1)
        if part == there - 1 and backlog:
            # What was produced elsewhere before: its windows are closed, or nearly so.
            second, backlog = max(0, second - dice.choice((10, 25, 60))), backlog - 1
        broker.append("events", part, json.dumps({"k": "a", "t": second, "v": 1}).encode())
        produced.append((part, second))
        if dice.random() < 0.07:
            start(job, CAUGHT_UP).result()
    start(job, TO_THE_END).result()

    floors = joined(tmp_path)
    wanted, late = expected(produced, floors)
    assert there > 1
    assert late
    assert any(floor > 0 for floor in floors.values())
    assert (results(tmp_path), places(tmp_path, "late")) == (wanted, late)
    assert len({(key, begin) for key, begin, *_ in results(tmp_path)}) == len(results(tmp_path))


def test_a_floor_that_is_not_the_records_is_noticed():
    produced = [(0, 3), (0, 30), (1, 4)]

    assert expected(produced, {1: 20}) != expected(produced, {})
