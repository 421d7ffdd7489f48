"""The law: the result is a function of what the topic holds, not of how it was cut or interleaved."""

from __future__ import annotations

import pytest
from tests.chaos.replay_job import TO_THE_END
from tests.support.sampled import dealt, differences, files, recorded

from arrowflow.engine import start
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.samples import CONFIGS, answer, stream

ROWS = 2500
POINTS = ["kernel.mid", "stage.file", "commit.before", "commit.created", "publish.move", "publish.all", "lag.before"]
OTHERS = [config for config in CONFIGS if config != "gold"]


@pytest.fixture(scope="module")
def sample():
    return tuple(stream("production", rows=ROWS, seed=3).records()), answer("production", rows=ROWS, seed=3)


@pytest.mark.parametrize("seed", range(50))
def test_another_cutting_gives_the_same_rows_late_rows_included(seed, sample, tmp_path):
    records, sheet = sample
    pipeline = dealt("gold", tmp_path, records, 1000, epoch_rows=50 + 61 * seed, largest_slice=5 + 17 * seed)

    finished = start(pipeline, TO_THE_END).result()

    assert finished.balance.read == ROWS
    assert differences(pipeline, sheet) == []


@pytest.mark.parametrize("seed", range(50))
def test_another_interleaving_gives_the_same_rows_late_rows_included(seed, sample, tmp_path):
    records, sheet = sample
    pipeline = dealt("gold", tmp_path, records, seed, epoch_rows=400)

    finished = start(pipeline, TO_THE_END).result()

    assert finished.balance.read == ROWS
    assert differences(pipeline, sheet) == []


@pytest.mark.parametrize("seed", range(10))
def test_crashes_anywhere_and_another_cutting_after_each_give_the_same_rows(seed, sample, tmp_path):
    records, sheet = sample

    crash("gold", tmp_path, records, seed, deaths=6)
    pipeline = dealt("gold", tmp_path, records, seed, epoch_rows=300)
    start(pipeline, TO_THE_END).result()

    assert differences(pipeline, sheet) == []


# ---- the other windows that ship: half hours, hopping, sessions, production days -----------------------------


@pytest.fixture(scope="module", params=OTHERS)
def other(request):
    """A configuration, a small sample for it and the answer, which has something of all that may go wrong."""
    config = request.param
    rows, seed = (3500, 54) if config == "temperature" else (1500, 3)
    records = tuple(stream(CONFIGS[config], rows=rows, seed=seed).records())
    sheet = answer(CONFIGS[config], rows=rows, seed=seed, config=config)
    assert sheet["late_count"] > 3
    assert len(sheet["missed"]) >= (3 if config == "temperature" else 0)
    return config, records, sheet


@pytest.mark.parametrize("seed", range(8))
def test_another_cutting_gives_the_answer_of_each_configuration(seed, other, tmp_path):
    config, records, sheet = other
    pipeline = dealt(config, tmp_path, records, seed, epoch_rows=60 + 230 * seed, largest_slice=30 + 80 * seed)

    start(pipeline, TO_THE_END).result()

    assert differences(pipeline, sheet) == []


@pytest.mark.parametrize("seed", range(3))
def test_crashes_and_another_cutting_after_each_give_the_answer_of_each_configuration(seed, other, tmp_path):
    config, records, sheet = other

    died = crash(config, tmp_path, records, 7 * seed, deaths=3)
    pipeline = dealt(config, tmp_path, records, seed, epoch_rows=350)
    start(pipeline, TO_THE_END).result()

    assert died >= 2
    assert differences(pipeline, sheet) == []


def test_a_second_run_of_each_configuration_adds_nothing(other, tmp_path):
    config, records, sheet = other
    pipeline = dealt(config, tmp_path, records, 1, epoch_rows=500)
    start(pipeline, TO_THE_END).result()
    before, balance = files(pipeline), recorded(pipeline)

    again = start(dealt(config, tmp_path, records, 2, epoch_rows=200), TO_THE_END).result()

    assert (again.balance.read, again.rows_out, again.files) == (0, 0, 0)
    assert files(pipeline) == before
    assert recorded(pipeline) == balance
    assert differences(pipeline, sheet) == []


def crash(config, lake, records, seed, *, deaths):
    """Run and die `deaths` times, somewhere else each time; returns how many of the runs did not get to their end."""
    died = 0
    for death in range(deaths):
        pipeline = dealt(config, lake, records, seed * 100 + death, epoch_rows=300)
        plan = f"{POINTS[(seed + death) % len(POINTS)]}:{1 + death % 3}:crash"
        try:
            start(pipeline, TO_THE_END, failpoints=Failpoints.parse(plan)).result()
        except SimulatedCrash:
            died += 1
    return died
