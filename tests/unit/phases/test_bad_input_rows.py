"""Bad records through the whole engine: a topic in, tables out. Each lands in one place with its reason; neighbours do not notice.

The decoder's own tests hold every shade of each row; here each row is shown once from the topic to the Parquet file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from tests.support.calls import calls_of
from tests.support.dealt import DealtSource, DealtSpec
from tests.support.small import SECOND_US, pipeline, places, results, rows, window

from arrowflow.calendars import PlantCalendar
from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.engine import start
from arrowflow.errors import StateRefused
from arrowflow.events import Finished
from arrowflow.pipeline import EventTime, OperatorNode, RunOptions
from arrowflow.protocols import SampleRecord
from arrowflow.testing.answers import read_rows
from arrowflow.types import Fetched, OffsetRange
from arrowflow.windows.spec import Aggregate, CalendarWindow, PassThroughSpec, WindowSpec

ROOT = Path(__file__).parents[3]
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
YEAR_1 = -62_135_596_800

COLUMNS = (
    Field("s", "string"),
    Field("n", "int64"),
    Field("f", "float64"),
    Field("t", "timestamp[s]"),
    Field("ms", "timestamp[ms]"),
    Field("us", "timestamp[us]"),
    Field("ns", "timestamp[ns]"),
    Field("iso", "timestamp[iso]"),
    Field("local", "timestamp[iso, America/Tijuana, earlier]"),
    Field("day", "date"),
)

DEAD = [
    ("01 empty value", b"", "empty"),
    ("01 white space only", b" \n", "empty"),
    ("03 two objects", b'{"n":1}{"n":2}', "trailing_data"),
    ("03 two lines", b'{"n":1}\n{"n":2}', "trailing_data"),
    ("06 invalid UTF-8", b'{"s":"\xff"}', "utf8"),
    ("06 invalid UTF-8 where nobody looks", b'{"other":"\xc3"}', "utf8"),
    ("07 half a surrogate pair", rb'{"s":"\ud800"}', "surrogate"),
    ("08 truncated", b'{"n":1', "syntax"),
    ("08 truncated in a string", b'{"s":"a', "syntax"),
    ("11 array", b'[{"n":1}]', "not_object"),
    ("11 number", b"1", "not_object"),
    ("11 string", b'"text"', "not_object"),
    ("12 65 levels", b'{"x":' + b"[" * 64 + b"]" * 64 + b"}", "too_deep"),
    ("12 400,000 levels", b'{"x":' + b"[" * 400_000, "too_deep"),
    ("13 10,000 fields", b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(10_000)) + b"}", "too_large"),
    ("13 name over 1 MB", b'{"' + b"x" * 1_048_577 + b'":1}', "too_large"),
    ("13 string of 50 MB", b'{"s":"' + b"x" * 50_000_000 + b'"}', "too_large"),
    ("14 last of two is wrong", b'{"n":1,"n":"x"}', "type"),
    ("15 2^63", b'{"n":9223372036854775808}', "overflow"),
    ("15 -2^63-1", b'{"n":-9223372036854775809}', "overflow"),
    ("15 10^400", b'{"n":1' + b"0" * 400 + b"}", "overflow"),
    ("16 1.5 as an integer", b'{"n":1.5}', "type"),
    ("17 number in quotes", b'{"n":"12"}', "type"),
    ("18 NaN", b'{"f":NaN}', "syntax"),
    ("18 Infinity", b'{"f":-Infinity}', "syntax"),
    ("18 1e400", b'{"f":1e400}', "overflow"),
    ("19 leading zero", b'{"n":01}', "syntax"),
    ("19 plus", b'{"n":+1}', "syntax"),
    ("19 bare point", b'{"f":.5}', "syntax"),
    ("19 trailing comma", b'{"n":1,}', "syntax"),
    ("19 comment", b'{"n":1 /* one */}', "syntax"),
    ("19 single quotes", b"{'n':1}", "syntax"),
    ("21 text where a number was", b'{"n":"many"}', "type"),
    ("21 object where a number was", b'{"n":{"value":1}}', "type"),
    ("22 Confluent framing", b"\x00\x00\x00\x00\x2aHOla", "confluent_framing"),
    ("29 seconds beyond 9999", b'{"t":253402300800}', "timestamp_range"),
    ("29 nanoseconds read as seconds", b'{"t":1764064800123456789}', "timestamp_range"),
    ("29 before year 1", b'{"t":-62135596801}', "timestamp_range"),
    ("29 2^63 milliseconds", b'{"ms":9223372036854775808}', "timestamp_range"),
    ("29 ISO without its offset", b'{"iso":"2025-11-02T06:00:00"}', "timestamp"),
    ("29 local text with an offset", b'{"local":"2025-11-02T06:00:00Z"}', "timestamp"),
    ("29 local time that never was", b'{"local":"2026-03-08T02:30:00"}', "timestamp_nonexistent"),
    ("30 leap second", b'{"iso":"2016-12-31T23:59:60Z"}', "timestamp"),
    ("30 24:00", b'{"iso":"2025-11-02T24:00:00Z"}', "timestamp"),
    ("30 30 February", b'{"day":"2026-02-30"}', "date"),
    ("30 30 February with a time", b'{"iso":"2026-02-30T00:00:00Z"}', "timestamp"),
]  # fmt: skip

FINE = [
    ("04 newlines between tokens", b'{\r\n\t"n":\n1\n}\n', "n", 1),
    ("05 byte order mark", b'\xef\xbb\xbf{"n":1}', "n", 1),
    ("07 escaped NUL", rb'{"s":"a\u0000b"}', "s", "a\0b"),
    ("12 64 levels", b'{"n":1,"x":' + b"[" * 63 + b"]" * 63 + b"}", "n", 1),
    ("14 equal names", b'{"n":1,"n":2}', "n", 2),
    ("15 -2^63", b'{"n":-9223372036854775808}', "n", -(2**63)),
    ("16 1e3 as an integer", b'{"n":1e3}', "n", 1000),
    ("16 1.0 as an integer", b'{"n":1.0}', "n", 1),
    ("18 -0", b'{"f":-0}', "f", 0.0),
    ("18 1e-400", b'{"f":1e-400}', "f", 0.0),
    ("18 smallest", b'{"f":4.9e-324}', "f", 5e-324),
    ("20 missing", b"{}", "n", None),
    ("20 null", b'{"n":null}', "n", None),
    ("20 unknown beside it", b'{"unknown":{"n":9},"n":3}', "n", 3),
    ("29 seconds", b'{"t":1764064800}', "t", 1_764_064_800 * SECOND_US),
    ("29 milliseconds", b'{"ms":1764064800123}', "ms", 1_764_064_800_123_000),
    ("29 microseconds", b'{"us":1764064800123456}', "us", 1_764_064_800_123_456),
    ("29 nanoseconds", b'{"ns":1764064800123456789}', "ns", 1_764_064_800_123_456),
    ("29 before 1970", b'{"t":-1}', "t", -SECOND_US),
    ("29 year 1", b'{"t":-62135596800}', "t", YEAR_1 * SECOND_US),
    ("29 year 9999", b'{"iso":"9999-12-31T23:59:59Z"}', "iso", 253_402_300_799 * SECOND_US),
    ("29 after 2262", b'{"iso":"2300-01-01T00:00:00+01:00"}', "iso", 10_413_788_400 * SECOND_US),
    ("29 an hour that came twice", b'{"local":"2025-11-02T01:30:00"}', "local", 1_762_072_200 * SECOND_US),
]  # fmt: skip


def record(value: bytes | None, second: int = 1) -> SampleRecord:
    return SampleRecord("events", 0, 1000 * second, b"key", value)


def passing(folder: Path, records, *, name: str = "passing", fields=COLUMNS):
    """A pipeline that passes rows through, so that each record can be looked at; every record may be bad."""
    job = pipeline(folder, records, name=name)
    source = replace(job.source, decoder=JsonSpec(fields), max_error_rate=1.0)
    sinks = tuple(node for node in job.sinks if node.stream != "late")
    return replace(job, source=source, event_time=None, operator=OperatorNode("rows", PassThroughSpec()), sinks=sinks)


def by_offset(folder: Path, *columns: str, stream: str = "out") -> dict[int, tuple]:
    found = read_rows(folder / "passing" / stream, ["_topic", "_partition", "_offset", *columns])
    assert {(row["_topic"], row["_partition"]) for row in found} == {("events", 0)}
    assert len(found) == len({row["_offset"] for row in found}), "an offset came twice"
    return {row["_offset"]: tuple(row[column] for column in columns) for row in found}


def column_names() -> list[str]:
    return [field.name for field in COLUMNS]


def as_numbers(folder: Path, column: str) -> dict[int, object]:
    """Offset to value; times as microseconds, because Python's own end at year 9999."""
    table = ds.dataset(folder, format="parquet").to_table(columns=["_offset", column])
    values = table.column(column)
    if pa.types.is_timestamp(values.type):
        assert values.type == pa.timestamp("us", "UTC")
        values = values.cast(pa.int64())
    return dict(zip(table.column("_offset").to_pylist(), values.to_pylist(), strict=True))


@dataclass
class Seen:
    """What came of the topic: totals, dead letters by offset, and each column by offset."""

    finished: Finished
    dead: dict[int, tuple]
    rows: dict[str, dict[int, object]]


@pytest.fixture(scope="module")
def topic(tmp_path_factory):
    """Every bad and every odd record with a good one on either side, through the engine once."""
    folder = tmp_path_factory.mktemp("rows")
    records = []
    for number, (_, value, *_) in enumerate([*DEAD, *FINE]):
        records += [record(b'{"n":%d}' % (100 + number)), record(value)]
    finished = start(passing(folder, [*records, record(b'{"n":-1}')]), TO_THE_END).result()
    dead = by_offset(folder, "_reason", "_payload", "_key", "_detail", stream="dead")
    return Seen(finished, dead, {name: as_numbers(folder / "passing" / "out", name) for name in column_names()})


@pytest.mark.parametrize("number", range(len(DEAD)), ids=["row_" + case[0].replace(" ", "_") for case in DEAD])
def test_rows_01_to_30_a_bad_record_is_one_dead_letter_with_its_place_reason_and_bytes(topic, number):
    what, value, reason = DEAD[number]
    offset = 2 * number + 1

    seen = topic.dead[offset]
    assert seen[:3] == (reason, value, b"key"), what
    assert seen[3]
    assert offset not in topic.rows["n"]


@pytest.mark.parametrize("number", range(len(FINE)), ids=["row_" + case[0].replace(" ", "_") for case in FINE])
def test_rows_04_to_29_an_odd_record_that_is_right_is_a_row_with_its_value(topic, number):
    offset = 2 * (len(DEAD) + number) + 1
    what, _, column, value = FINE[number]

    assert repr(topic.rows[column][offset]) == repr(value), what
    assert offset not in topic.dead


def test_rows_01_to_30_the_neighbours_of_bad_records_are_untouched_and_the_balance_adds_up(topic):
    total = len(DEAD) + len(FINE)

    kept = topic.rows["n"]
    assert [kept[2 * number] for number in range(total + 1)] == [*(100 + number for number in range(total)), -1]
    balance = topic.finished.balance
    assert balance.read == 2 * total + 1 == balance.accounted
    assert balance.folded == total + 1 + len(FINE)
    assert sum(balance.dead_lettered.values()) == len(DEAD)


def test_row_22_the_dead_letter_names_the_format_that_was_meant(topic):
    at = 2 * next(number for number, case in enumerate(DEAD) if case[0].startswith("22")) + 1

    *_, detail = topic.dead[at]
    assert "Avro" in detail
    assert "42" in detail


# ---- one row at a time ------------------------------------------------------------------------------------


def test_row_02_tombstones_are_counted_and_neither_rows_nor_dead_letters(tmp_path):
    job = passing(tmp_path, [record(None), record(b'{"n":1}'), record(None), record(None)])

    finished = start(job, TO_THE_END).result()

    assert finished.balance.filtered == {"tombstone": 3}
    assert by_offset(tmp_path, "n") == {1: (1,)}
    assert not (tmp_path / "passing" / "dead").exists()


def test_row_02_a_topic_of_tombstones_only_commits_and_writes_no_file(tmp_path):
    finished = start(passing(tmp_path, [record(None)] * 50), TO_THE_END).result()

    assert (finished.balance.read, finished.files, finished.rows_out) == (50, 0, 0)


@dataclass(frozen=True)
class Reading(DealtSpec):
    """The whole topic in slices of one size, always the same: for timing."""

    slice_rows: int = 25_000

    def build(self, name, context):
        size = self.slice_rows

        class Even(DealtSource):
            def read(self, after, bounds):
                ((part, at),) = after.items()
                stop = min(len(self.logs[part]), at + size)
                batches = (self.batch(part, at, stop),) if stop > at else ()
                return Fetched({part: OffsetRange(at, stop)}, batches)

        return Even(name, self, context)


@pytest.mark.slow
def test_row_09_one_bad_record_in_100_000_loses_only_itself_and_next_to_no_work(tmp_path):
    """99,999 rows and one dead letter. Work is counted in calls, which no neighbour on the machine can raise: the bad
    record adds about 600 to 713,000 (its judging, and the file of dead letters), and a second look at the 10,000 of
    its chunk would add 30,000. ``python -m bench.one_bad`` times the same two topics."""
    good = [
        SampleRecord("events", 0, 1000, b"k", json.dumps({"k": f"k{i % 50}", "t": 1 + i // 1000, "v": i / 8}).encode())
        for i in range(100_000)
    ]
    bad = [*good[:50_500], replace_value(good[50_500], b'{"k":"k0","t":'), *good[50_501:]]

    def run(name, records):
        job = pipeline(tmp_path, Reading(tuple(records)), name=name, cadence_s=3600.0, max_epoch_rows=100_000)
        balance = start(job, TO_THE_END).result().balance
        assert balance.read == balance.accounted == 100_000
        return balance

    run("warm", bad)
    balances = {}
    clean = calls_of(lambda: balances.update(clean=run("clean", good)))
    dirty = calls_of(lambda: balances.update(dirty=run("dirty", bad)))

    assert balances["clean"].folded == 100_000
    assert (balances["dirty"].folded, balances["dirty"].dead_lettered) == (99_999, {"syntax": 1})
    assert places(tmp_path, "dead", "dirty") == [(0, 50_500, "syntax")]
    assert clean > 100_000
    assert dirty - clean < 5_000


def replace_value(one: SampleRecord, value: bytes) -> SampleRecord:
    return SampleRecord(one.topic, one.partition, one.timestamp_ms, one.key, value)


@pytest.mark.slow
def test_row_13_refused_strings_of_50_mb_pass_in_bounded_memory(tmp_path):
    """Thirty of them, kept in the dead letters: what is held at once are copies of an epoch of 100 MB, not 1,500 MB."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.support.huge", str(tmp_path), "30"]
    child = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)

    assert child.returncode == 0, child.stderr
    folded, dead, epochs, grown_mb = map(int, child.stdout.split())
    assert (folded, dead) == (30, 30)
    assert epochs >= 10
    assert grown_mb < 1000


def test_row_20_a_required_field_that_is_missing_or_null_is_a_dead_letter(tmp_path):
    fields = (Field("n", "int64", required=True), Field("s", "string"))

    start(
        passing(tmp_path, [record(b'{"s":"a"}'), record(b'{"n":null}'), record(b'{"n":1}')], fields=fields), TO_THE_END
    ).result()

    assert by_offset(tmp_path, "_reason", stream="dead") == {0: ("required",), 1: ("required",)}
    assert by_offset(tmp_path, "n", "s") == {2: (1, None)}


def test_row_21_a_new_field_is_ignored_until_the_schema_names_it_and_then_read_from_there_on(tmp_path):
    old, new = (Field("n", "int64"),), (Field("n", "int64"), Field("extra", "string"))
    first = [record(b'{"n":1}'), record(b'{"n":2,"extra":"a"}')]
    start(passing(tmp_path, first, fields=old), TO_THE_END).result()
    before = {path: path.read_bytes() for path in (tmp_path / "passing" / "out").rglob("*.parquet")}

    start(passing(tmp_path, [*first, record(b'{"n":3,"extra":"b"}')], fields=new), TO_THE_END).result()

    after = {path: path.read_bytes() for path in (tmp_path / "passing" / "out").rglob("*.parquet")}
    assert before.items() <= after.items()
    (added,) = set(after) - set(before)
    assert pl.read_parquet(added).select("n", "extra").to_dicts() == [{"n": 3, "extra": "b"}]


@pytest.mark.parametrize(
    "changed", [Field("n", "float64"), Field("n", "int64", required=True), Field("n", "int64", path="value.n")]
)
def test_row_21_a_schema_that_reads_old_records_differently_is_refused_with_the_field(tmp_path, changed):
    first = [record(b'{"n":1}')]
    start(passing(tmp_path, first, fields=(Field("n", "int64"),)), TO_THE_END).result()

    with pytest.raises(StateRefused, match=r"source\.schema\.n\."):
        start(passing(tmp_path, first, fields=(changed,)), TO_THE_END).result()


# ---- time --------------------------------------------------------------------------------------------------


def test_rows_29_30_bad_event_times_move_no_clock_and_fold_nowhere(tmp_path):
    """A dead letter in the event-time column must not close anyone's window."""
    stream = [
        *rows(("a", 1, 1.0)),
        record(b'{"k":"a","t":253402300800,"v":9}', 2),
        record(b'{"k":"a","t":9223372036854775807,"v":9}', 2),
        record(b'{"k":"a","t":"2026-02-30","v":9}', 2),
        record(b'{"k":"a","t":-9223372036854775808,"v":9}', 2),
        *rows(("a", 3, 1.0), ("a", 1, 1.0)),
    ]
    job = pipeline(tmp_path, stream, event_time=EventTime("t", 5 * SECOND_US))

    finished = start(job, TO_THE_END).result()

    assert results(tmp_path) == [("a", 0, 3, 3.0)]
    assert [reason for *_, reason in places(tmp_path, "dead")] == [
        "timestamp_range",
        "timestamp_range",
        "type",
        "timestamp_range",
    ]
    assert finished.balance.late == {}


def test_row_29_windows_before_1970_and_at_both_ends_of_time_close_like_others(tmp_path):
    ends = [YEAR_1, YEAR_1 + 9, -11, -10, -1, 0, 253_402_300_790, 253_402_300_799]
    stream = rows(*(("a", second, 1.0) for second in ends))

    start(pipeline(tmp_path, stream), TO_THE_END).result()

    table = ds.dataset(tmp_path / "small" / "out", format="parquet").to_table()
    found = zip(table.column("window_start").cast(pa.int64()).to_pylist(), table.column("n").to_pylist(), strict=True)
    right = [(YEAR_1, 2), (-20, 1), (-10, 2), (0, 1), (253_402_300_790, 2)]
    assert sorted((start // SECOND_US, n) for start, n in found) == right


HOUR = 3600
TIJUANA_2025_11_01_0600 = 1_762_002_000  # 06:00 PDT, the production day whose night has 9 h
TIJUANA_2026_03_07_0600 = 1_772_892_000  # 06:00 PST, the one whose night has 7 h


@pytest.mark.parametrize(
    ("begin", "hours"), [(TIJUANA_2025_11_01_0600, (8, 8, 9)), (TIJUANA_2026_03_07_0600, (8, 8, 7))]
)
def test_row_31_in_tijuana_the_night_of_the_clock_change_has_its_9_or_7_hours_and_the_day_their_sum(
    tmp_path, begin, hours
):
    """One record every ten minutes, each with its own weight: counts give the length, sums show gap and overlap."""
    shifts = {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-06:00"}
    plants = PlantCalendar(key="k", zones={"tijuana": "America/Tijuana"}, shifts=shifts)
    length = sum(hours) * HOUR
    stream = rows(
        *(
            ("tijuana", second, float(second - begin))
            for second in range(begin - 8 * HOUR, begin + length + 8 * HOUR, 600)
        )
    )
    found = {}
    for unit in ("shift", "day"):
        operator = WindowSpec(
            window=CalendarWindow(plants.for_unit(unit), key="k", unit=unit),
            group_by=("k",),
            aggregates=(Aggregate("n", "count", None), Aggregate("total", "sum", "v")),
        )
        start(pipeline(tmp_path, stream, name=unit, operator=operator), TO_THE_END).result()
        found[unit] = {start: (n, total) for _, start, n, total in results(tmp_path, unit)}

    edges = np.cumsum([0, *hours]) * HOUR + begin
    inside = [found["shift"][int(edge)] for edge in edges[:-1]]
    assert [n for n, _ in inside] == [6 * h for h in hours]
    assert found["day"][begin] == (sum(n for n, _ in inside), sum(total for _, total in inside))
    assert found["day"][begin] == (length // 600, float(sum(range(0, length, 600))))


@pytest.mark.parametrize(("begin", "night"), [(TIJUANA_2025_11_01_0600, 9), (TIJUANA_2026_03_07_0600, 7)])
def test_row_31_the_week_has_the_hour_of_its_night_and_the_nights_break_is_off(tmp_path, begin, night):
    """Both nights begin a Saturday; a record every ten minutes, each with its own weight, to the end of the next one."""
    shifts = {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-06:00"}
    breaks = {"T3": ("04:00-04:30",)}
    plants = PlantCalendar(key="k", zones={"tijuana": "America/Tijuana"}, shifts=shifts, breaks=breaks)
    week = (6 * 24 + 16 + night) * HOUR
    seconds = range(begin - HOUR, begin + week + HOUR, 600)
    stream = rows(*(("tijuana", second, float(second - begin)) for second in seconds))
    found = {}
    for bounds in (plants.for_unit("shift"), plants.for_unit("week", week_starts="saturday")):
        operator = WindowSpec(
            window=CalendarWindow(bounds, key="k", unit=bounds.unit),
            group_by=("k",),
            aggregates=(Aggregate("n", "count", None), Aggregate("total", "sum", "v")),
        )
        start(pipeline(tmp_path, stream, name=bounds.unit, operator=operator), TO_THE_END).result()
        found[bounds.unit] = {at: (n, total) for _, at, n, total in results(tmp_path, bounds.unit)}

    opens, pause = begin + 16 * HOUR, begin + (16 + night - 2) * HOUR
    assert found["week"][begin] == (week // 600, float(sum(range(0, week, 600))))
    assert found["shift"][pause] == (3, float(sum(range(pause - begin, pause - begin + HOUR // 2, 600))))
    whole = range(opens - begin, opens - begin + night * HOUR, 600)
    assert found["shift"][opens] == (6 * night - 3, float(sum(whole)) - found["shift"][pause][1])


# The off-by-one table: a window [0, 10 s), disorder 0, patience L. `ahead` is the largest time before the row.
#            event  ahead  L    where the row goes
EDGES = [
    ("at the start of the window",       0,  0, 0, 0),
    ("last second inside",               9,  9, 0, 0),
    ("at the end: the next window",     10, 10, 0, 10),
    ("clock one before the end",         9,  9, 0, 0),
    ("clock at the end: late",           9, 10, 0, None),
    ("clock at the row, window open",   11, 11, 0, 10),
    ("patience: clock one before",       9, 12, 3, 0),
    ("patience: clock at end + L",       9, 13, 3, None),
    ("next window, clock at its end",   19, 20, 0, None),
    ("next window, clock before",       10, 19, 0, 10),
]  # fmt: skip


@pytest.mark.parametrize("slices", ["one slice", "one record each"])
@pytest.mark.parametrize(
    ("event", "ahead", "patience", "where"), [case[1:] for case in EDGES], ids=[case[0] for case in EDGES]
)
def test_row_34_ranges_are_half_open_to_the_second_through_the_whole_engine(
    tmp_path, event, ahead, patience, where, slices
):
    stream = rows(("other", ahead, 0.0), ("a", event, 1.0))
    source = DealtSpec(tuple(stream)) if slices == "one record each" else Reading(tuple(stream))
    job = pipeline(
        tmp_path, source, event_time=EventTime("t", 0), operator=window(lateness_s=patience),
        **({"max_slice_rows": 1, "max_epoch_rows": 1} if slices == "one record each" else {}),
    )  # fmt: skip

    start(job, TO_THE_END).result()

    mine = [(start, n) for key, start, n, _ in results(tmp_path) if key == "a"]
    assert mine == ([] if where is None else [(where, 1)])
    assert places(tmp_path, "late") == ([(0, 1, "behind_clock")] if where is None else [])


def test_row_34_a_window_is_out_exactly_when_the_clock_reaches_its_end(tmp_path):
    stream = rows(("a", 0, 1.0), ("a", 9, 1.0), ("a", 10, 1.0))
    job = {"event_time": EventTime("t", 0)}
    caught_up = RunOptions(until_caught_up=True, take_over=True)

    start(pipeline(tmp_path, stream[:2], **job), caught_up).result()
    assert results(tmp_path) == []
    start(pipeline(tmp_path, stream, **job), caught_up).result()
    assert results(tmp_path) == [("a", 0, 2, 2.0)]
