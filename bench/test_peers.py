"""The comparison with other engines, small: its records, its oracle, its report, and two ways that need no installing.

The engines that `make peers` installs are not asked here; `python -m bench.peers --quick` asks them.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from bench.peers import compare, data, oracle, report
from bench.peers.ways import ALL_JOBS, ARROWFLOW, FLINK, POLARS, SPARK
from tests.realparts.fixtures import embedded  # noqa: F401

RECORDS = 6_000


@pytest.fixture(scope="module")
def columns():
    return {stream: data.columns(stream, RECORDS) for stream in data.STREAMS}


def test_the_records_are_the_same_everywhere(columns):
    """The bytes of the first slice, by a checksum: another numpy or another machine must not change them."""
    found = {}
    for stream, table in columns.items():
        texts = [each["value"] for _, rows in data.messages(table) for each in rows]
        assert len(texts) == RECORDS + data.PARTITIONS
        found[stream] = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]

    assert found == {"steady": "e40e23de75b6", "bursts": "26755d3806df"}


def test_messages_hold_what_the_columns_hold(columns):
    """The oracle reads the columns, the engines the messages."""
    for table in columns.values():
        rows = sorted(
            (json.loads(each["value"]) for _, part in data.messages(table) for each in part), key=lambda row: row["id"]
        )

        expected = table.select(oracle.FIELDS).sort_by("id").to_pylist()
        assert rows == expected


def test_no_record_is_later_than_engines_wait(columns):
    """Behind the largest time of its partition so far by less than a minute, in each partition; closers are last."""
    for table in columns.values():
        frame = pl.DataFrame(pl.from_arrow(table))
        for _, rows in frame.group_by("partition", maintain_order=True):
            behind = rows["ts"].cum_max() - rows["ts"]
            assert 0 < behind.max() < 60_000
            assert rows["sensor"][-1] == data.CLOSER


def naive(job, table):
    """The answer by a loop over the records."""
    rows = [row for row in table.select(["sensor", "ts", "milli"]).to_pylist() if row["sensor"] != data.CLOSER]
    found = {}
    for row in sorted(rows, key=lambda row: (row["sensor"], row["ts"])):
        sensor, ts = row["sensor"], row["ts"]
        if job == "session":
            mine = [place for place in found if place[0] == sensor and ts - max(found[place][1]) <= 30_000][-1:]
            starts = [mine[0][1] if mine else ts]
        else:
            step = 1_800_000 if job == "tumbling" else 300_000
            starts = [start for start in range(ts // step * step, ts - 1_800_000, -step) if start <= ts]
        for start in starts:
            values, times = found.setdefault((sensor, start), ([], []))
            values.append(row["milli"])
            times.append(ts)
    ends = {
        place: max(times) + 30_000 if job == "session" else place[1] + 1_800_000 for place, (_, times) in found.items()
    }
    return {
        (*place, ends[place], len(values), sum(values) / 1000, min(values) / 1000, max(values) / 1000)
        for place, (values, _) in found.items()
    }


@pytest.mark.parametrize("job", ["tumbling", "hopping", "session"])
def test_the_oracle_answers_as_a_loop_does(columns, job):
    table = columns[oracle.JOBS[job]].slice(0, 1_500)

    assert {tuple(row.values()) for row in oracle.answer(job, table).to_pylist()} == naive(job, table)


def written(tmp_path, job, answer, change):
    """An answer as an engine would write it, after `change` of the frame."""
    frame = pl.DataFrame(pl.from_arrow(answer))
    if job != "raw":
        start, end = (pl.from_epoch(each, time_unit="ms") for each in ("start_ms", "end_ms"))
        frame = frame.with_columns(window_start=start, window_end=end)
    out = tmp_path / "out"
    out.mkdir()
    change(frame).write_parquet(out / "part.parquet")
    (out / ".part.parquet.crc").write_text("no Parquet")
    return out


@pytest.mark.parametrize("job", ALL_JOBS)
def test_a_right_answer_is_taken(columns, tmp_path, job):
    answer = oracle.answer(job, columns[oracle.JOBS[job]])

    assert oracle.differences(job, answer, written(tmp_path, job, answer, lambda frame: frame.reverse())) == ""


SPOILT = {
    "a row less": lambda frame: frame.head(frame.height - 1),
    "a row twice": lambda frame: pl.concat([frame, frame.head(1)]),
    "a value": lambda frame: frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(pl.col(frame.columns[4]) + 1).otherwise(pl.col(frame.columns[4]))
    ),
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("job", ["tumbling", "session", "raw"])
def test_a_spoilt_answer_is_noticed(columns, tmp_path, job, how):
    answer = oracle.answer(job, columns[oracle.JOBS[job]])

    assert oracle.differences(job, answer, written(tmp_path, job, answer, SPOILT[how])) != ""


@pytest.mark.embedded
def test_arrowflow_and_the_loop_give_the_answer(embedded, tmp_path):  # noqa: F811
    """Every job of both, one after another in one process each, as the comparison runs them."""
    plan = compare.Plan(RECORDS, RECORDS // 4, long=0, bit=0, rounds=1, cold_rounds=0, jobs=ALL_JOBS)
    bench = compare.Bench(plan, [ARROWFLOW, POLARS], embedded, tmp_path, print)
    compare.install(bench, c_program=False)
    compare.fill(bench)
    compare.measure(bench)

    assert (bench.wrong, bench.left_out) == ({}, {"C": "not asked for"})
    assert {(run["way"], run["job"], run["answer"]) for run in bench.runs} == {
        (way, job, "equal") for way in ("arrowflow", "polars") for job in ALL_JOBS
    }
    assert list(tmp_path.glob("run_*")) == []


BURN = "import time\nwhile time.process_time() < 0.2: pass\n"
ORPHAN = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {BURN!r}])\nsys.exit(3)\n"


def test_processor_time_of_a_child_that_outlives_its_parent_is_counted(tmp_path):
    """As the JVM behind a Python driver does. In a process of its own: it becomes the parent of every orphan below it."""
    command = [sys.executable, "-m", "bench.peers.tree", str(tmp_path / "log"), "300", sys.executable, "-c", ORPHAN]
    env = {**os.environ, "PYTHONPATH": compare.PATH}

    done = subprocess.run(command, env=env, input="", capture_output=True, text=True, timeout=300, check=True)

    took = json.loads(done.stdout)
    assert took["code"] == 3
    assert took["cpu_s"] >= 0.2


def test_nothing_stays_behind_when_it_is_told_to_stop(tmp_path):
    """The command is in a session of its own, where a Ctrl-C does not reach it."""
    mark = tmp_path / "pid"
    sleeper = (
        f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()) + ' ')\ntime.sleep(600)\n"
    )
    command = [sys.executable, "-m", "bench.peers.tree", str(tmp_path / "log"), "300", sys.executable, "-c", sleeper]
    env = {**os.environ, "PYTHONPATH": compare.PATH}

    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
        wait_for(lambda: mark.exists() and mark.read_text().endswith(" "))
        running.terminate()
        assert running.wait(120) == 1

    wait_for(lambda: not (Path("/proc") / mark.read_text().strip() / "cmdline").exists())


def wait_for(done):
    """Until it is so, or five minutes are over."""
    deadline = time.monotonic() + 300
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def told(way, job, size, wall_s, cpu_s, **more):
    return {
        "way": way,
        "job": job,
        "size": size,
        "mode": "warm",
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "answer": "equal",
        **more,
    }


def made_up():
    """Results with figures that are easily worked out."""
    ways = [
        {
            "name": way.name,
            "title": way.title,
            "sizes": ["whole", "part"],
            "settings": "",
            "does": "",
            "lacks": "",
            "told": {},
        }
        for way in (ARROWFLOW, SPARK, FLINK)
    ]
    runs = [
        told(*row) for row in [
            ("arrowflow", "tumbling", "whole", 1.5, 0.9), ("arrowflow", "tumbling", "part", 1.0, 0.6),
            ("spark", "tumbling", "whole", 9.0, 17.0), ("spark", "tumbling", "part", 4.0, 8.0),
            ("flink", "tumbling", "whole", 2.0, 1.0), ("flink", "tumbling", "part", 2.0, 1.0),
            ("C", "read", "whole", 2.0, 1.0), ("C", "read", "part", 1.0, 0.5),
        ]
    ]  # fmt: skip
    runs.append(told("spark", "tumbling", "whole", 0.1, 0.1) | {"answer": "3 windows missing"})
    runs.append(told("spark", "tumbling", "whole", 30.0, 40.0, peak_mb=900) | {"mode": "cold"})
    plan = {"records": 2_000, "part": 1_000, "long": 0, "bit": 0, "rounds": 1, "cold_rounds": 1, "jobs": ["tumbling"]}
    return {"plan": plan, "ways": ways, "runs": runs, "wrong": {}, "left_out": {"flink": "no Java"}}


def test_the_report_takes_starts_off_and_leaves_wrong_answers_out():
    found = made_up()

    by_way = {line["way"]: line for line in report.lines(found, "tumbling")}
    assert by_way["arrowflow"]["rate"] == pytest.approx(2_000)
    assert by_way["spark"]["rate"] == pytest.approx(200)
    assert by_way["spark"]["times"] == pytest.approx(10)
    assert by_way["spark"]["cpu_ns"] == pytest.approx(9_000_000)
    assert (by_way["spark"]["cold_s"], by_way["spark"]["peak_mb"]) == (30.0, 900.0)
    assert (by_way["flink"]["rate"], by_way["flink"]["note"]) == (None, "no Java")


def test_the_ratios_are_those_the_issue_asks_for():
    found = {what: measured for what, measured, _ in report.ratios(made_up())}

    read = "tumbling: records/s over those of the C program that only reads"
    assert found[read] == pytest.approx(2.0)
    assert found["tumbling: CPU per record over that of the C program"] == pytest.approx(0.6)
    assert found["tumbling: records/s over those of Spark Structured Streaming"] == pytest.approx(10)
    assert found["tumbling: records/s over those of Flink SQL"] is None


def test_the_page_is_the_one_that_the_results_give():
    """Nobody edits figures by hand: docs/benchmarks-peers.md and the plot come from bench/results/peers.json."""
    results = report.read(compare.ROOT / "bench/results/peers.json")
    page = compare.ROOT / "docs/benchmarks-peers.md"

    picture = page.parent / "benchmarks-peers.svg"
    assert page.read_text() == report.markdown(results, "benchmarks-peers.svg")
    assert picture.read_text() == report.picture(results)
