"""A roster in a program: frames of expected keys in, rows without data out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from tests.unit.api.frames import FORMS, at, table

import arrowflow as af
from arrowflow.errors import ConfigError, StateRefused
from arrowflow.windows import spec

CONFIGS = Path(__file__).parents[3] / "configs"
ROWS = [("a", 1.0, 5, 0), ("b", 2.0, 70, 0), ("z", 3.0, 80, 0)]
LINES = pa.table({"line": ["a", "b", "c"]})
TOLD = ["line", "n", "status", "reported", "expected", "missing"]


def minutes(roster, **settings):
    described = {"time": "ts", "max_out_of_orderness": "10s", **settings}
    return af.WindowOperator(af.Tumbling("1m"), "line", {"n": "count()"}, roster=roster, **described)


def told(given):
    return [tuple(row[name] for name in TOLD) for row in given.to_pylist()]


FIRST = [
    ("a", 1, "reported", 1, 3, ["b", "c"]),
    ("b", None, "no_data", 1, 3, ["b", "c"]),
    ("c", None, "no_data", 1, 3, ["b", "c"]),
]
SECOND = [
    ("a", None, "no_data", 1, 3, ["a", "c"]),
    ("b", 1, "reported", 1, 3, ["a", "c"]),
    ("c", None, "no_data", 1, 3, ["a", "c"]),
    ("z", 1, "unexpected", 1, 3, ["a", "c"]),
]


def test_silent_keys_come_out_with_the_others_and_each_window_says_who_is_missing():
    op = minutes(af.Roster(LINES))

    assert told(op.push(table(ROWS))) == FIRST
    assert told(op.interim()) == SECOND
    assert told(op.finish()) == SECOND
    assert told(op.finish()) == []
    assert (op.balance.read, op.balance.folded) == (3, 3)


@pytest.mark.parametrize("form", FORMS)
def test_the_keys_may_come_in_any_frame_and_the_rows_too(form):
    keys = table([(line, 0.0, 0, 0) for line in "abc"])
    named = af.Roster(FORMS[form](keys))

    op = minutes(replace(named, keys=named.keys.select(["line"])))

    assert told(op.push(FORMS[form](table(ROWS)))) == FIRST


def test_time_that_is_vouched_for_closes_windows_in_which_nobody_was_heard():
    op = minutes(af.Roster(LINES, max_silence="2m"))
    op.push(table(ROWS))
    op.finish()

    given = op.advance(at(600))

    assert {row["window_start"] for row in given.to_pylist()} == {at(120), at(180)}
    assert {row["status"] for row in given.to_pylist()} == {"no_data"}


def test_what_people_write_is_what_the_core_takes():
    frame = pl.DataFrame({"plant": ["n"], "line": ["a"]})

    assert af.Roster(frame) == spec.Roster(pa.table({"plant": ["n"], "line": ["a"]}))
    assert af.Roster(frame, per="plant", max_silence="1h").per == ("plant",)
    assert af.Roster(frame, per=["plant"], max_silence="1h").max_silence_us == 3_600_000_000
    with pytest.raises(ConfigError, match="max_silence"):
        af.Roster(frame, max_silence="an hour")


def test_a_roster_that_does_not_fit_the_rows_is_refused_by_the_first_push():
    op = minutes(af.Roster(pa.table({"line": [1, 2]})))

    with pytest.raises(ConfigError, match="roster: column 'line' is int64, and the rows' is string"):
        op.push(table(ROWS))
    with pytest.raises(ConfigError, match='a roster needs scope = "pipeline"'):
        minutes(af.Roster(LINES), scope="partition").push(table(ROWS))


def test_a_snapshot_goes_on_with_other_keys_and_with_no_other_way_of_counting():
    op = minutes(af.Roster(LINES))
    op.push(table(ROWS))
    other = minutes(af.Roster(pa.table({"line": ["b", "d"]})))

    other.restore(op.snapshot())

    assert told(other.finish()) == [
        ("b", 1, "reported", 1, 2, ["d"]),
        ("d", None, "no_data", 1, 2, ["d"]),
        ("z", 1, "unexpected", 1, 2, ["d"]),
    ]
    with pytest.raises(StateRefused, match="roster was"):
        minutes(af.Roster(LINES, max_silence="1m")).restore(op.snapshot())
    with pytest.raises(StateRefused, match="roster was"):
        minutes(None).restore(op.snapshot())


def test_a_pipeline_with_a_roster_can_be_tried_on_rows():
    roster = str(CONFIGS / "scada_sensors.csv")
    pipeline = af.load(CONFIGS / "completeness.toml", {"ARROWFLOW_ROSTER": roster})
    readings = [
        {"planta": "tijuana", "sensor_id": f"scada-{n:03d}", "timestamp": 1_762_084_800_000, "value": 1.0}
        for n in range(52, 70)
    ]

    trial = pipeline.test(readings)

    assert trial.rows.num_rows == 70
    assert set(trial.rows["reported"].to_pylist()) == {18}
    silent = trial.rows.filter(pa.compute.equal(trial.rows["status"], "no_data"))
    assert (silent.num_rows, set(silent["media"].to_pylist())) == (52, {None})
    assert trial.rows["missing"][0].as_py() == [
        f"guadalajara / scada-{n:03d}" for n in range(30, 50)
    ]  # the first twenty
