"""configs/completeness.toml gives one answer over its sample, whatever the cutting and the crashes: one reckoned apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.chaos.replay_job import TO_THE_END
from tests.support.dealt import DealtSpec

from arrowflow.config import load
from arrowflow.engine import start
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.samples import stream
from arrowflow.samples.answers import civil, figures
from arrowflow.samples.answers.judge import Span, judge
from arrowflow.samples.answers.scada import RULES
from arrowflow.testing.answers import read_rows

CONFIGS = Path(__file__).parents[2] / "configs"
COLUMNS = ["planta", "sensor_id", "window_start", "window_end", "lecturas", "media"]
TOLD = ["status", "reported", "expected", "missing"]
SIZE_US = 120_000_000
ROWS = 2500


def two_minutes(_row, when):
    start_us = civil.microseconds(when) // SIZE_US * SIZE_US
    return (Span(civil.instant(start_us), civil.instant(start_us + SIZE_US)),)


@pytest.fixture(scope="module")
def sample():
    """The records, what the job must write of them, and how many are folded."""
    records = tuple(stream("scada", rows=ROWS, seed=3).records())
    verdict = judge(records, replace(RULES, windows=two_minutes))
    lines = (CONFIGS / "scada_sensors.csv").read_text(encoding="utf-8").splitlines()
    sensors = [tuple(line.split(",")) for line in lines[1:]]
    heard = defaultdict(set)
    for planta, sensor, begin in verdict.groups:
        heard[begin].add((planta, sensor))
    rows, begin = [], min(heard)
    while begin <= max(heard):
        missing = tuple(" / ".join(each) for each in sorted(sensors) if each not in heard[begin])
        for sensor in sensors:
            placed = verdict.groups.get((*sensor, begin), [])
            there = sensor in heard[begin]
            values = (figures.count(placed, "value"), figures.mean(placed, "value")) if there else (None, None)
            told = ("reported" if there else "no_data", 70 - len(missing), 70, missing[:20])
            rows.append((*sensor, begin, begin + timedelta(minutes=2), *values, *told))
        begin += timedelta(minutes=2)
    return records, Counter(rows), verdict.folded


def job(lake, records, seed, *, epoch_rows):
    env = {"ARROWFLOW_LAKE": str(lake), "ARROWFLOW_ROSTER": str(CONFIGS / "scada_sensors.csv")}
    pipeline = load(CONFIGS / "completeness.toml", env)
    source = replace(pipeline.source, spec=DealtSpec(records, seed))
    checkpoint = replace(pipeline.checkpoint, max_epoch_rows=epoch_rows, full_every=1 + seed % 4)
    return replace(pipeline, source=source, checkpoint=checkpoint)


def written(lake):
    rows = read_rows(lake / "silver" / "scada_completeness", COLUMNS + TOLD)
    return Counter((*(row[name] for name in COLUMNS + TOLD[:-1]), tuple(row["missing"])) for row in rows)


def test_the_sample_has_silent_sensors_silent_windows_and_one_that_is_never_heard(sample):
    _records, rows, _folded = sample
    told = {(row[2], row[7], row[8]): set(row[9]) for row in rows}

    assert not any(row[:2] == ("tijuana", "scada-070") and row[6] == "reported" for row in rows)
    found = {reported for _begin, reported, _expected in told}
    assert 0 in found, "a window in which nobody was heard"
    assert max(found) >= 40
    assert all(len(missing) == min(20, expected - reported) for (_begin, reported, expected), missing in told.items())


@pytest.mark.parametrize("seed", range(8))
def test_another_cutting_and_interleaving_give_the_same_rows(seed, sample, tmp_path):
    records, rows, folded = sample

    finished = start(job(tmp_path, records, seed, epoch_rows=150 + 200 * (seed % 5)), TO_THE_END).result()

    assert (finished.balance.read, finished.balance.folded) == (ROWS, folded)
    assert written(tmp_path) == rows


@pytest.mark.parametrize("seed", range(4))
def test_crashes_anywhere_give_the_same_rows(seed, sample, tmp_path):
    records, rows, _folded = sample
    points = ["kernel.done", "stage.state_delta", "commit.before", "commit.created", "publish.move"]

    for death in range(5):
        plan = f"{points[(seed + death) % len(points)]}:{1 + death % 3}:crash"
        try:
            failpoints = Failpoints.parse(plan)
            start(
                job(tmp_path, records, 100 * seed + death, epoch_rows=300), TO_THE_END, failpoints=failpoints
            ).result()
        except SimulatedCrash:
            continue
    start(job(tmp_path, records, seed, epoch_rows=300), TO_THE_END).result()

    assert written(tmp_path) == rows


def test_over_the_whole_sample_sixty_nine_of_seventy_report_and_the_missing_one_is_named(tmp_path):
    """In windows of ten minutes: the sensor whose clock is a day ahead is a dead letter every time."""
    records = tuple(stream("scada").records())
    ten_minutes = job(tmp_path, records, 1, epoch_rows=10_000)
    spec = ten_minutes.operator.spec
    wide = replace(spec, window=replace(spec.window, size_us=5 * SIZE_US))

    start(replace(ten_minutes, operator=replace(ten_minutes.operator, spec=wide)), TO_THE_END).result()

    rows = read_rows(tmp_path / "silver" / "scada_completeness", ["sensor_id", "lecturas", *TOLD])
    assert {(row["reported"], row["expected"], *row["missing"]) for row in rows} == {(69, 70, "tijuana / scada-070")}
    assert Counter((row["status"], row["sensor_id"] == "scada-070") for row in rows) == {
        ("reported", False): 69 * 72,
        ("no_data", True): 72,
    }
    assert {row["lecturas"] for row in rows if row["status"] == "no_data"} == {None}
