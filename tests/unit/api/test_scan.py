"""`af.scan`: exactly the committed files of a table, as of the newest record or an earlier one, corrected and sealed ones too."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from tests.chaos import revision_job
from tests.support.small import pipeline, rows, window

import arrowflow as af
from arrowflow.engine import start
from arrowflow.errors import ConfigError, RetryableError
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.phases.alone import opened
from arrowflow.phases.reset import go_back
from arrowflow.phases.wish import Wish
from arrowflow.pipeline import Pipeline, RunOptions

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
KEYS = ("007", "a/b", "Ñ", "b")
STREAM = rows(*((key, second, 1.0) for second in range(0, 120, 4) for key in KEYS))


def job(folder: Path, upto: int = len(STREAM), *, sealed: bool = False, **more: object) -> Pipeline:
    """Windows of ten seconds in folders by key, eight records to an epoch."""
    made = pipeline(folder, STREAM[:upto], operator=window(), max_epoch_rows=8, max_slice_rows=8, **more)
    spec = replace(made.sinks[0].spec, partition_by=("k",), seal_us=1 if sealed else None)
    return replace(made, sinks=(replace(made.sinks[0], spec=spec), *made.sinks[1:]))


def run(made: Pipeline, plan: str = "") -> None:
    start(made, TO_THE_END, failpoints=Failpoints.parse(plan)).result()


def log_of(folder: Path) -> Path:
    return folder / "small" / "_log"


def windows(dataset) -> list[tuple[str, int, int]]:
    found = dataset.to_table(columns=["k", "window_start", "n"]).to_pylist()
    return sorted((row["k"], int(row["window_start"].timestamp()), row["n"]) for row in found)


WANTED = sorted((key, start, 3 if start % 20 == 0 else 2) for key in KEYS for start in range(0, 120, 10))


@pytest.mark.parametrize("sealed", [False, True])
def test_three_engines_read_the_same_rows_with_their_folders_values_as_they_were(sealed, tmp_path):
    run(job(tmp_path, sealed=sealed, keep_records=3, keep_for_s=0.0))

    dataset = af.scan(log_of(tmp_path))

    assert windows(dataset) == WANTED
    assert dataset.schema.field("k").type == pa.string()
    frame = pl.scan_pyarrow_dataset(dataset).filter(pl.col("k") == "007").select(pl.col("n").sum()).collect()
    assert frame.item() == duckdb.sql("select sum(n) from dataset where k = '007'").fetchall()[0][0] == 30
    assert any("__sealed" in file for file in dataset.files) == sealed


def test_folders_have_the_types_that_are_asked_for_and_null_is_null(tmp_path):
    stream = [*rows(("7", 1, 1.0)), *rows(("8", 2, 1.0))]
    made = pipeline(tmp_path, stream)
    spec = replace(made.sinks[0].spec, partition_by=("k", "date"))
    run(replace(made, sinks=(replace(made.sinks[0], spec=spec),)))

    types = {"k": pa.int64(), "date": pa.date32()}
    table = af.scan(log_of(tmp_path), types=types).to_table()

    assert sorted(table["k"].to_pylist()) == [7, 8]
    assert set(table["date"].to_pylist()) == {dt.date(1970, 1, 1)}


def test_a_committed_file_that_is_not_published_yet_and_an_orphan_are_no_part_of_it(tmp_path):
    with pytest.raises(SimulatedCrash):
        run(job(tmp_path), "publish.move:6:crash")
    before = windows(af.scan(log_of(tmp_path)))

    there = sum(1 for _ in (tmp_path / "small" / "out").rglob("*.parquet"))
    assert len(af.scan(log_of(tmp_path)).files) < there
    assert set(before) < set(WANTED)
    run(job(tmp_path))
    assert windows(af.scan(log_of(tmp_path))) == WANTED


def test_below_a_folder_only_that_folder_is_listed(tmp_path):
    run(job(tmp_path))

    found = windows(af.scan(log_of(tmp_path), within="k=a%2Fb"))

    assert found == [each for each in WANTED if each[0] == "a/b"]


def test_as_of_each_record_and_its_time_the_rows_are_those_of_the_epochs_so_far(tmp_path):
    run(job(tmp_path))
    whole = af.scan(log_of(tmp_path)).to_table(columns=["__af_epoch"])["__af_epoch"].to_pylist()

    for epoch in sorted(set(whole)):
        dataset = af.scan(log_of(tmp_path), epoch=epoch)
        assert dataset.count_rows() == sum(each <= epoch for each in whole)
    now = dt.datetime.now(dt.UTC)
    assert af.scan(log_of(tmp_path), time=now).count_rows() == len(whole)


def test_corrected_windows_are_what_they_were_as_of_the_record_asked_for(tmp_path):
    made = revision_job.job(tmp_path, many=160)
    seen = {}

    class Remembering(Failpoints):
        """What the table holds after each epoch, by its own files, read at once."""

        def hit(self, name):
            if name == "publish.all":
                files = sorted((tmp_path / "out").rglob("*.parquet"))
                tables = [pl.read_parquet(file) for file in files]
                epochs = sorted(int(path.stem) for path in (tmp_path / "_log" / "manifests").rglob("*.json"))
                seen[epochs[-1]] = sorted(
                    pl.concat([t.select("window_start", "n", "__af_revision") for t in tables]).rows() if tables else []
                )

    start(made, revision_job.TO_THE_END, failpoints=Remembering()).result()

    corrected = 0
    for epoch, wanted in seen.items():
        if not wanted:
            continue
        dataset = af.scan(tmp_path / "_log", "out", epoch=epoch)
        found = dataset.to_table(columns=["window_start", "n", "__af_revision"]).to_pylist()
        assert sorted(tuple(row.values()) for row in found) == wanted
        corrected += any("revisions" in file for file in dataset.files)
    assert corrected > 3


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("sealed", [True, False])
def test_after_going_back_it_is_the_table_that_counts_now(sealed, in_place, tmp_path):
    run(job(tmp_path, 60, sealed=sealed))
    target = max(int(path.stem) for path in (log_of(tmp_path) / "manifests").rglob("*.json"))
    then = windows(af.scan(log_of(tmp_path)))
    run(job(tmp_path, 90))
    with opened(job(tmp_path, 90), RunOptions(take_over=True)) as parts:
        go_back(parts, Wish(epoch=target, in_place=in_place))

    assert windows(af.scan(log_of(tmp_path))) == then
    assert windows(af.scan(log_of(tmp_path), epoch=target)) == then
    run(job(tmp_path, sealed=sealed))
    whole = windows(af.scan(log_of(tmp_path)))
    assert len(whole) == len(set(whole))
    if in_place:
        with pytest.raises(ConfigError, match=r"went back to .* in place: what record .* had published is gone"):
            af.scan(log_of(tmp_path), epoch=target + 3)
    else:
        assert windows(af.scan(log_of(tmp_path), epoch=target + 3))


def test_while_a_reset_takes_files_back_nothing_is_read(tmp_path):
    run(job(tmp_path, 60))
    target = max(int(path.stem) for path in (log_of(tmp_path) / "manifests").rglob("*.json"))
    run(job(tmp_path, 90))
    with (
        opened(
            job(tmp_path, 90), RunOptions(take_over=True), failpoints=Failpoints.parse("reset.mid_retract:2:crash")
        ) as parts,
        pytest.raises(SimulatedCrash),
    ):
        go_back(parts, Wish(epoch=target, in_place=True))

    with pytest.raises(RetryableError, match="takes files back just now"):
        af.scan(log_of(tmp_path))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"sink": "gone"}, "there is no table 'gone'; sink = one of \\['dead', 'late', 'out'\\]"),
        ({"epoch": 5, "time": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "say `epoch` or `time`, not both"),
        ({"time": dt.datetime(2026, 1, 1)}, "has no offset from UTC"),  # noqa: DTZ001
        ({"time": dt.datetime(1970, 1, 1, tzinfo=dt.UTC)}, "no record that is kept is so old"),
        ({"epoch": 9_999}, "there is no record 9999 to read as of"),
        ({"sink": "dead"}, "holds no file as of record"),
    ],
)
def test_what_cannot_be_read_is_said(asked, said, tmp_path):
    run(job(tmp_path, 16))

    with pytest.raises(ConfigError, match=said):
        af.scan(log_of(tmp_path), **asked)


def test_a_folder_without_records_is_said(tmp_path):
    with pytest.raises(ConfigError, match="is no checkpoint folder"):
        af.scan(tmp_path)
