"""A pipeline tried on rows in memory gives what its tables would hold."""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import arrowflow as af
from arrowflow import config
from arrowflow.errors import ConfigError
from arrowflow.pipeline import Emit, SinkNode
from arrowflow.sinks.preview import PreviewSpec
from arrowflow.types import Balance

CONFIGS = Path(__file__).parents[3] / "configs"
GOLD = af.load(CONFIGS / "gold.toml", {})
RAW = af.load(CONFIGS / "raw.toml", {})
NOON = dt.datetime(2025, 11, 2, 12, tzinfo=dt.UTC)


def event(hours, units=1, plant="tijuana", **more):
    ms = int((NOON + dt.timedelta(hours=hours)).timestamp() * 1000)
    return {"planta": plant, "linea": "l1", "timestamp": ms, "unidades_producidas": units, **more}


def told(trial):
    return [
        (row["planta"], row["shift"], str(row["production_day"]), row["total_unidades"])
        for row in trial.rows.to_pylist()
    ]


def test_messages_are_read_filtered_and_put_into_the_shifts_of_their_plant():
    """12:00 UTC on 2 November is 04:00 in Tijuana, in a night shift of nine hours, and 06:00 in Monterrey."""
    trial = GOLD.test([event(0, 2), event(1, 3), event(0, -1), event(0, 5, "monterrey")])

    assert told(trial) == [("tijuana", "T3", "2025-11-01", 5), ("monterrey", "T1", "2025-11-02", 5)]
    hours = (trial.rows["window_end"][0].as_py() - trial.rows["window_start"][0].as_py()).total_seconds() / 3600
    assert hours == 9
    assert trial.balance == Balance(read=4, folded=3, filtered={"filter": 1})
    assert (trial.late.num_rows, trial.dead_letters.num_rows) == (0, 0)


def test_a_file_may_ask_for_weeks_with_holidays_in_them(tmp_path):
    """The week of Tijuana that ends with the night of 2 November has 169 hours, and 28 October is off."""
    text = (CONFIGS / "gold.toml").read_text(encoding="utf-8")
    shifts = 'shifts = { T1 = "06:00-14:00", T2 = "14:00-22:00", T3 = "22:00-06:00" }'
    assert shifts in text
    text = text.replace('unit = "shift"', 'unit = "week"').replace(shifts, f"{shifts}\nholidays = [2025-10-28]")
    (tmp_path / "weeks.toml").write_text(text, encoding="utf-8")
    weeks = af.load(tmp_path / "weeks.toml", {})

    trial = weeks.test([event(-24 * 6, 2), event(-24 * 5, 4), event(-24 * 4.5, 8), event(0, 1), event(25.9, 16)])

    rows = [
        (row["window_end"] - row["window_start"], str(row["production_day"]), row["off"], row["total_unidades"])
        for row in trial.rows.to_pylist()
    ]
    assert sorted(rows, key=lambda row: row[1]) == [
        (dt.timedelta(hours=168), "2025-10-20", False, 2),  # 04:00 on Monday the 27th is still the night before
        (dt.timedelta(hours=169), "2025-10-27", False, 21),  # 4 on the night before the day off, 1 and 16 at its end
        (dt.timedelta(hours=24), "2025-10-28", True, 8),
    ]


def test_a_frame_of_decoded_rows_gives_the_same_as_its_messages():
    messages = [event(0, 2), event(1, 3), event(0, 5, "monterrey")]
    frame = pl.DataFrame(messages).with_columns(pl.from_epoch("timestamp", time_unit="ms").dt.replace_time_zone("UTC"))

    assert GOLD.test(frame).rows.equals(GOLD.test(messages).rows)
    assert GOLD.test(frame.to_arrow()).rows.equals(GOLD.test([json.dumps(each) for each in messages]).rows)


def test_decimals_of_python_are_numbers_of_a_message():
    kpis = af.load(CONFIGS / "kpis.toml", {})
    order = {"order_id": "o", "planta": "tijuana", "timestamp": NOON.isoformat(), "estado": "creada"}

    trial = kpis.test([{**order, "costo": Decimal(cost)} for cost in ("0.10", "0.2", "9007199254740993.07")])

    assert trial.rows["costo_total"].to_pylist() == [Decimal("9007199254740993.37")]


def test_bad_messages_are_dead_letters_however_many_and_tombstones_are_filtered():
    trial = GOLD.test([b"{", "[]", None, {**event(0), "unidades_producidas": "many"}, event(0, plant="atlantis")])

    assert trial.dead_letters["_offset"].to_pylist() == [0, 1, 3, 4]
    assert trial.dead_letters["_payload"].to_pylist()[:2] == [b"{", b"[]"]
    assert trial.dead_letters["_reason"].to_pylist()[-1] == "no_calendar"
    assert trial.balance.filtered == {"tombstone": 1}
    assert trial.rows.num_rows == 0
    assert "total_unidades" in trial.rows.column_names


def test_late_rows_are_shown_whatever_becomes_of_them():
    late = [event(0), event(30), event(0, 7)]
    dropping = replace(GOLD, operator=replace(GOLD.operator, late="drop"))

    for pipeline in (GOLD, dropping):
        trial = pipeline.test(late)
        assert trial.late["unidades_producidas"].to_pylist() == [7]
        assert trial.late["_reason"].to_pylist() == ["behind_clock"]
        assert trial.balance.late == {"behind_clock": 1}


def test_partitions_have_clocks_of_their_own():
    ahead = [event(30, 1, "monterrey"), event(0, 2, "tijuana")]

    assert GOLD.test(ahead).late.num_rows == 1
    by_column = GOLD.test(ahead, partition="planta")
    by_number = GOLD.test({0: ahead[:1], 7: ahead[1:]})
    assert by_column.late.num_rows == by_number.late.num_rows == 0
    assert by_column.rows.equals(by_number.rows)
    frame = pl.DataFrame(ahead).with_columns(pl.from_epoch("timestamp", time_unit="ms").dt.replace_time_zone("UTC"))
    assert GOLD.test(frame, partition="planta").rows.equals(by_column.rows)
    assert GOLD.test(frame.with_columns(part=pl.Series([7, 3])), partition="part").rows.equals(by_column.rows)


def test_windows_can_be_left_open():
    messages = [event(0), event(5), event(30)]

    assert len(told(GOLD.test(messages, close_open_windows=False))) == 2
    assert GOLD.test(messages).rows["__af_closed_by"].to_pylist() == ["watermark", "watermark", "end_of_input"]


def test_no_row_is_from_the_future_unless_a_now_is_given():
    tomorrow = [event(0), event(24)]

    assert GOLD.test(tomorrow).dead_letters.num_rows == 0
    assert GOLD.test(tomorrow, now=NOON).dead_letters["_reason"].to_pylist() == ["future_clock"]


def test_rows_that_a_sink_could_not_name_a_folder_for_are_dead_letters_here_too():
    by_line = replace(GOLD, sinks=(replace(GOLD.sinks[0], spec=replace(GOLD.sinks[0].spec, partition_by=("linea",))),))

    trial = by_line.test([event(0), {**event(0), "linea": "x" * 500}])

    assert trial.balance.folded == 1
    assert trial.dead_letters["_offset"].to_pylist() == [1]


def test_a_pipeline_without_a_window_passes_rows_on():
    trial = RAW.test([b"\xff", '{"b": 2}'])

    assert trial.rows["_offset"].to_pylist() == [0, 1]
    assert trial.late.num_rows == 0
    assert trial.balance == Balance(read=2, folded=2)


def test_it_touches_no_disk_and_no_broker(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unreachable = af.load(CONFIGS / "gold.toml", {"ARROWFLOW_BROKERS": "nobody.invalid:9092"})

    unreachable.test([event(0)])

    assert list(tmp_path.iterdir()) == []


def test_corrections_and_a_preview_do_not_stand_in_the_way_and_a_row_in_time_to_correct_counts():
    """Gold closes a shift 30 min after it; a trial is one epoch, so what a late row corrects comes out corrected."""
    spec = replace(GOLD.operator.spec, correct_for_us=24 * 3_600_000_000)
    corrects = replace(
        GOLD,
        operator=replace(GOLD.operator, spec=spec, late="correct"),
        sinks=(*GOLD.sinks, SinkNode("open", PreviewSpec("/nowhere"), "open")),
        emit=Emit("on_update"),
    )
    messages = [event(0, 2), event(5), event(0, 3)]

    assert told(GOLD.test(messages))[0] == ("tijuana", "T3", "2025-11-01", 2)
    assert told(corrects.test(messages))[0] == ("tijuana", "T3", "2025-11-01", 5)


def test_the_same_rows_give_the_same_tables_at_any_time_and_leave_the_pipeline_as_it_was():
    before = repr(GOLD)
    first, second = GOLD.test([event(0), b"{"]), GOLD.test([event(0), b"{"])

    assert first.rows.equals(second.rows)
    assert first.dead_letters.equals(second.dead_letters)
    assert repr(GOLD) == before


def test_a_loaded_pipeline_is_the_value_that_the_engine_runs():
    env = {"ARROWFLOW_BROKERS": "kafka-1:9092"}
    loaded, mine = config.load(CONFIGS / "gold.toml", env), af.load(CONFIGS / "gold.toml", env)

    assert isinstance(mine, type(loaded))
    assert mine.query() == loaded.query()
    assert mine == af.load(CONFIGS / "gold.toml", env)
    assert replace(GOLD, name="other").test([event(0)]).rows.num_rows == 1


def test_it_says_what_came_of_the_rows():
    trial = GOLD.test([event(0), event(0, -1), b"{"])

    assert repr(trial) == ("<Trial: 3 rows read, 1 folded, 1 filtered, 0 late, 1 dead letters; 1 rows out>")


@pytest.mark.parametrize(
    ("rows", "partition", "says"),
    [
        (event(0), None, "for a single row write a list"),
        ({}, None, "partition numbers"),
        ({0: [event(0)]}, "planta", "without `partition`"),
        ([b"{}"], "planta", "no member 'planta'"),
        ([event(0, plant=None)], "planta", "null in some rows"),
        ([3], None, "message 0 is 3"),
        (3, None, "no Arrow table"),
        ({0: [b""], 1: pa.table({"planta": ["a"]})}, None, "all of one kind"),
        (pa.table({"plnta": ["a"]}), None, r"'plnta' is not in the source's schema \(did you mean 'planta'\?\)"),
        (pa.table({"timestamp": pa.array([0], pa.timestamp("ms"))}), None, "has no zone"),
        (pa.table({"timestamp": [0]}), None, "timestamp.* is needed"),
    ],
    ids=str,
)
def test_rows_that_do_not_fit_are_refused_with_what_to_do(rows, partition, says):
    with pytest.raises(ConfigError, match=says):
        GOLD.test(rows, partition=partition)


def test_a_dictionary_is_no_message_where_bytes_are_not_json():
    with pytest.raises(ConfigError, match="message 0 is"):
        RAW.test([{"a": 1}])


@pytest.mark.jit
def test_a_few_rows_take_milliseconds_once_the_kernels_are_there():
    GOLD.test([event(0)])
    took = []
    for _ in range(5):
        start = time.process_time()
        GOLD.test([event(0), event(1)])
        took.append(time.process_time() - start)

    assert min(took) < 0.5  # about 0.015 s of CPU time; one kernel compiled anew would be over a second
