"""The law: the result is a function of what the topic holds, not of how it was cut or interleaved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.chaos.replay_job import GOLD, TO_THE_END, wrong
from tests.support.dealt import DealtSpec

from arrowflow.config import load
from arrowflow.engine import start
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.samples import answer, stream

ROWS = 2500


@pytest.fixture(scope="module")
def sample():
    return tuple(stream("production", rows=ROWS, seed=3).records()), answer("production", rows=ROWS, seed=3)


def gold(lake, records, seed, *, epoch_rows, largest_slice=200):
    """The gold pipeline as it is, over dealt records, with small epochs."""
    pipeline = load(GOLD, {"ARROWFLOW_LAKE": str(lake), "ARROWFLOW_BROKERS": "127.0.0.1:1"})
    source = replace(pipeline.source, spec=DealtSpec(records, seed, largest_slice))
    checkpoint = replace(pipeline.checkpoint, max_epoch_rows=epoch_rows, full_every=1 + seed % 5)
    return replace(pipeline, source=source, checkpoint=checkpoint)


@pytest.mark.parametrize("seed", range(50))
def test_another_cutting_gives_the_same_rows_late_rows_included(seed, sample, tmp_path):
    records, sheet = sample
    pipeline = gold(tmp_path, records, seed=1000, epoch_rows=50 + 61 * seed, largest_slice=5 + 17 * seed)

    finished = start(pipeline, TO_THE_END).result()

    assert finished.balance.read == ROWS
    assert wrong(sheet, tmp_path) == []


@pytest.mark.parametrize("seed", range(50))
def test_another_interleaving_gives_the_same_rows_late_rows_included(seed, sample, tmp_path):
    records, sheet = sample

    finished = start(gold(tmp_path, records, seed, epoch_rows=400), TO_THE_END).result()

    assert finished.balance.read == ROWS
    assert wrong(sheet, tmp_path) == []


@pytest.mark.parametrize("seed", range(10))
def test_crashes_anywhere_and_another_cutting_after_each_give_the_same_rows(seed, sample, tmp_path):
    records, sheet = sample
    points = [
        "kernel.mid",
        "stage.file",
        "commit.before",
        "commit.created",
        "publish.move",
        "publish.all",
        "lag.before",
    ]

    for death in range(6):
        pipeline = gold(tmp_path, records, seed * 100 + death, epoch_rows=300)
        plan = f"{points[(seed + death) % len(points)]}:{1 + death % 3}:crash"
        try:
            start(pipeline, TO_THE_END, failpoints=Failpoints.parse(plan)).result()
        except SimulatedCrash:
            continue
    start(gold(tmp_path, records, seed, epoch_rows=300), TO_THE_END).result()

    assert wrong(sheet, tmp_path) == []
