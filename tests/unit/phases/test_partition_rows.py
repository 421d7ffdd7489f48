"""Values that become folder names, from the topic to three readers: each row is read back as it was, or is a dead letter."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from tests.support.dealt import DealtSpec
from tests.support.small import pipeline, places

from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.engine import start
from arrowflow.errors import ConfigError
from arrowflow.events import Notice
from arrowflow.pipeline import RunOptions
from arrowflow.protocols import SampleRecord
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.testing.observer import RecordingObserver

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)

ODD = [
    "/", "..", ".", "%", "%2F", "=", " ", "\\", "\n", "?", "#", "a/../../b", "../../../etc", "/etc/passwd", "a\0".strip("\0"), "k=v/x=y",
    "*", "[0-9]", "{a,b}", "~", "$HOME", "`id`", "; rm -rf", "null", "NULL", "nan", "true", "007", "1e3", "2025-10-31", "Querétaro", "e\u0301", "é",
    "\u202e", "\u200b", "\U0001f3ed", "日本", "Tijuana", "tijuana", "TIJUANA", "x" * 200, ".hidden", "_hidden", "__HIVE_DEFAULT_PARTITION_", "CON",
]  # fmt: skip
REFUSED = {
    "": "partition_empty",
    "a\0b": "partition_nul",
    "\0": "partition_nul",
    "__HIVE_DEFAULT_PARTITION__": "partition_reserved",
    "x" * 254: "partition_too_long",
    "ñ" * 43: "partition_too_long",
    "/" * 85: "partition_too_long",
}


def record(key: str | None, second: int = 1) -> SampleRecord:
    return SampleRecord("events", 0, 1000 * second, None, json.dumps({"k": key, "t": second, "v": 1.0}).encode())


def run(folder, keys, observer=None, *, at_once=False):
    records = tuple(record(key) for key in keys)
    job = pipeline(folder, DealtSpec(records, largest_slice=100_000), cadence_s=60.0 if at_once else 0.2)
    table = ParquetSpec(str(folder / "small" / "out"), ("k",))
    sinks = tuple(replace(node, spec=table) if node.stream == "rows" else node for node in job.sinks)
    job = replace(job, source=replace(job.source, max_error_rate=1.0), sinks=sinks)
    return start(job, TO_THE_END, observer=observer).result()


def read_pyarrow(root):
    partitioning = ds.partitioning(pa.schema([("k", pa.string())]), flavor="hive")
    found = ds.dataset(root, partitioning=partitioning, format="parquet").to_table(columns=["k", "n"])
    return found.to_pylist()


def read_polars(root):
    found = pl.scan_parquet(f"{root}/**/*.parquet", hive_partitioning=True, hive_schema={"k": pl.String})
    return found.select("k", "n").collect().to_dicts()


def read_duckdb(root):
    query = f"select k, n from read_parquet('{root}/**/*.parquet', hive_partitioning=true, hive_types={{'k': VARCHAR}})"
    return [{"k": key, "n": n} for key, n in duckdb.connect().sql(query).fetchall()]


READERS = {"pyarrow": read_pyarrow, "polars": read_polars, "duckdb": read_duckdb}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Every odd value once or more (the n-th has n + 1 records), null too, and every refused one, in one topic."""
    folder = tmp_path_factory.mktemp("partitions")
    keys = [key for number, key in enumerate([*ODD, None]) for _ in range(number + 1)]
    observer = RecordingObserver()
    finished = run(folder, [*keys, *REFUSED], observer)
    return folder, finished, observer


@pytest.mark.parametrize("reader", READERS)
def test_rows_48_49_52_each_value_comes_back_from_the_engine_with_its_own_count(table, reader):
    folder, *_ = table

    found = {row["k"]: row["n"] for row in READERS[reader](folder / "small" / "out")}

    assert found == {key: number + 1 for number, key in enumerate([*ODD, None])}


def test_row_48_nothing_is_ever_written_outside_the_folders_of_the_job(table):
    folder, *_ = table

    assert sorted(path.name for path in folder.iterdir()) == ["small"]
    assert sorted(path.name for path in (folder / "small").iterdir()) == ["_log", "dead", "out"]
    for path in (folder / "small" / "out").rglob("*"):
        depth = len(path.relative_to(folder / "small" / "out").parts)
        assert (path.is_dir() and depth == 1 and path.name.startswith("k=")) or (
            path.suffix == ".parquet" and depth == 2
        )


def test_rows_49_50_a_value_no_folder_can_have_is_a_dead_letter_with_its_reason_and_the_balance_adds_up(table):
    folder, finished, _ = table
    good = sum(range(1, len(ODD) + 2))

    dead = [(offset, reason) for _, offset, reason in places(folder, "dead")]
    assert dead == [(good + number, reason) for number, reason in enumerate(REFUSED.values())]
    assert finished.balance.read == finished.balance.accounted == good + len(REFUSED)
    assert finished.balance.folded == good


def test_row_49_null_has_a_folder_of_its_own_and_is_not_the_text_null(table):
    folder, *_ = table

    names = {path.name for path in (folder / "small" / "out").iterdir()}
    assert {"k=__HIVE_DEFAULT_PARTITION__", "k=null", "k=NULL", "k=__HIVE_DEFAULT_PARTITION_"} <= names


def test_row_50_an_object_name_that_gets_too_long_by_its_root_is_refused_before_anything_is_staged(tmp_path):
    deep = tmp_path / ("d" * 200) / ("e" * 200) / ("f" * 200) / ("g" * 150)
    spare = 1024 - len(str(deep / "small" / "out")) - 1 - 80 - len("k=") - 1

    finished = run(deep, ["a", "x" * spare, "x" * (spare + 1)])

    assert finished.balance.dead_lettered == {"partition_too_long": 1}
    assert [offset for _, offset, _ in places(deep, "dead")] == [2]
    assert {row["k"] for row in read_polars(deep / "small" / "out")} == {"a", "x" * spare}


def test_row_51_a_hundred_thousand_partitions_in_an_epoch_stop_with_the_numbers_and_leave_nothing(tmp_path):
    with pytest.raises(
        ConfigError, match=r"epoch 1 has 100000 partitions of \['k'\].*max_partitions_per_epoch allows 2000"
    ):
        run(tmp_path, [f"k{number}" for number in range(100_000)], at_once=True)

    assert not (tmp_path / "small" / "out").exists()
    kinds = [
        json.loads(path.read_bytes())["kind"] for path in (tmp_path / "small" / "_log" / "manifests").rglob("*.json")
    ]
    assert kinds == ["open"]


def test_row_51_many_small_files_are_written_and_noticed(tmp_path):
    observer = RecordingObserver()

    finished = run(tmp_path, [f"k{number}" for number in range(150)], observer)

    assert finished.rows_out == 150
    assert len(read_duckdb(tmp_path / "small" / "out")) == 150
    assert [note for note in observer.of(Notice) if "150 files for 150 rows" in note.message] != []


def test_row_52_values_equal_but_for_case_stay_apart_and_are_noticed(table):
    folder, _, observer = table

    names = {path.name for path in (folder / "small" / "out").iterdir()}
    assert {"k=Tijuana", "k=tijuana", "k=TIJUANA"} <= names
    assert any("differ only in case" in note.message for note in observer.of(Notice))


def test_row_48_hostile_values_of_two_columns_cannot_build_a_path_together(tmp_path):
    from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

    pairs = [("..", ".."), ("a", "b/c"), ("a/b", "c"), ("a=b", "/"), ("/", "")]
    records = [SampleRecord("events", 0, 1, None, json.dumps({"k": k, "m": m, "t": 1}).encode()) for k, m in pairs]
    by_two = WindowSpec(Tumbling(10_000_000), ("k", "m"), (Aggregate("n", "count", None),))
    job = pipeline(tmp_path, records, operator=by_two)
    fields = (Field("k", "string"), Field("m", "string"), Field("t", "timestamp[s]"))
    table = ParquetSpec(str(tmp_path / "small" / "out"), ("k", "m"))
    sinks = tuple(replace(node, spec=table) if node.stream == "rows" else node for node in job.sinks)

    start(
        replace(job, source=replace(job.source, decoder=JsonSpec(fields), max_error_rate=1.0), sinks=sinks), TO_THE_END
    ).result()

    found = pl.scan_parquet(
        f"{tmp_path}/small/out/**/*.parquet", hive_partitioning=True, hive_schema={"k": pl.String, "m": pl.String}
    )
    assert sorted(found.select("k", "m").collect().rows()) == sorted(pairs[:-1])
    assert all(os.sep not in part for path in (tmp_path / "small" / "out").rglob("*") for part in path.parts[1:])
    assert [reason for *_, reason in places(tmp_path, "dead")] == ["partition_empty"]
