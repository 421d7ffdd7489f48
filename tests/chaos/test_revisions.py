"""Windows that late rows correct, under SIGKILL at every point a correction passes, with readers that never stop looking."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.chaos.lake_reader import READERS
from tests.chaos.restless_file import FILES, ROWS
from tests.chaos.revision_job import TO_THE_END, job, newest_revisions
from tests.support.cli import wait_for
from tests.support.followed import Protocol

from arrowflow.engine import start
from arrowflow.testing.answers import read_rows

ROOT = Path(__file__).parents[2]
POINTS = (
    "kernel.done", "stage.file.before", "stage.file.mid", "stage.file", "stage.revision", "stage.state_delta",
    "commit.before", "commit.create", "commit.created", "commit.checked", "publish.before", "publish.move",
    "publish.between_link_unlink", "publish.replace", "publish.between_look_rename", "publish.after", "publish.all",
    "fs.enospc", "fs.fsync_file", "fs.fsync_dir",
)  # fmt: skip


def run(folder: Path, protocol: Protocol, plan: str = "") -> subprocess.CompletedProcess:
    env = {**os.environ, **protocol.env, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "ARROWFLOW_FAILPOINTS": plan}
    return subprocess.run(
        [sys.executable, "-m", "tests.chaos.revision_job", str(folder)],
        env=env, cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@contextlib.contextmanager
def readers(folder: Path, table: str, *flags: str):
    """Readers at work in a process of their own; their report is in the list once they have ended."""
    out, stop, report = folder.with_suffix(f".{table}.json"), folder.with_suffix(".stop"), []
    watcher = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.revision_reader", str(folder / table), str(out), str(stop), *flags],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, cwd=ROOT,
    )  # fmt: skip
    try:
        yield report
        stop.touch()
        watcher.wait(180)
        report.append(json.loads(out.read_text()))
    finally:
        if watcher.poll() is None:
            watcher.kill()
        watcher.wait()


def wrong(folder: Path) -> list[str]:
    """Every way in which the table differs from the loop's newest revisions."""
    rows = read_rows(folder / "out", ["k", "window_start", "n", "total"])
    found = Counter((row["k"], int(row["window_start"].timestamp()), row["n"], row["total"]) for row in rows)
    wanted = Counter((*name, *values) for name, values in newest_revisions().items())
    return [f"missing {row}" for row in wanted - found] + [f"foreign or repeated {row}" for row in found - wanted]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_this_point_leaves_each_window_once_as_its_newest_revision(point, protocol, tmp_path):
    folder = tmp_path / "lake"
    for hit in (2, 9):
        killed = run(folder, protocol, f"{point}:{hit}:kill")
        assert killed.returncode == -9, f"{point} was never passed: {killed.stderr}"
    start(job(folder), TO_THE_END, failpoints=protocol.failpoints()).result()

    assert wrong(folder) == []
    protocol.must_be_followed()


@pytest.mark.slow
def test_readers_that_glob_all_along_see_each_window_once_and_revisions_only_grow(protocol, tmp_path):
    folder = tmp_path / "lake"
    plans = [f"{point}:{hit}:kill" for hit in (3,) for point in POINTS if point.startswith(("publish", "stage.rev"))]
    with readers(folder, "out") as report, readers(folder, "open", "preview") as preview:
        killed = [run(folder, protocol, plan).returncode for plan in plans]
        start(job(folder), TO_THE_END, failpoints=protocol.failpoints()).result()

    print("killed", killed.count(-9), "times;", report[0], preview[0])
    assert wrong(folder) == []
    protocol.must_be_followed()
    assert killed.count(-9) > len(plans) // 2
    for each in (report[0], preview[0]):
        assert each["violations"] == []
        assert all(looks > 10 for looks in each["looks"].values())
        assert all(grown > 0 for grown in each["revisions seen to grow"].values())


def test_rows_of_every_fate_are_in_the_stream_and_old_revisions_are_read_without_arrowflow(tmp_path):
    """As docs/parquet-layout.md says: the table and what it replaced, each row once, is the whole history."""
    start(job(tmp_path), TO_THE_END).result()

    table = pl.read_parquet(tmp_path / "out/**/*.parquet", hive_schema={"k": pl.String, "hour": pl.String})
    kept = pl.read_parquet(
        tmp_path / "_log/revisions/out/**/*.parquet", hive_schema={"k": pl.String, "hour": pl.String}
    )
    history = pl.concat([table, kept]).unique()

    assert history.select("k", "window_start", "__af_revision").is_duplicated().sum() == 0
    newest = history.group_by("k", "window_start").agg(
        pl.col("__af_revision").max().alias("newest"), pl.len().alias("many"), pl.col("n").n_unique().alias("counts")
    )
    assert (newest["newest"] == newest["many"]).all(), "no revision is missing"
    assert (newest["counts"] == newest["many"]).all(), "each holds other rows"
    assert newest["newest"].max() >= 3
    assert wrong(tmp_path) == []
    assert read_rows(tmp_path / "late", ["_reason"])


def test_a_reader_that_took_the_footer_before_a_correction_reads_the_old_revision_whole(tmp_path):
    """Polars and DuckDB open a file for its footer and again for its pages; a correction may come in between."""
    start(job(tmp_path, epoch_rows=60), TO_THE_END).result()
    grown = 0
    for file in (tmp_path / "out").rglob("*.parquet"):
        data = file.read_bytes()
        kept = sorted((tmp_path / "_log/revisions/out" / file.relative_to(tmp_path / "out").with_suffix("")).glob("*"))
        for old in kept[:1]:
            first = old.read_bytes()
            grown += 1
            assert data.startswith(first), "the first revision stays where it was"
            footer = pq.read_metadata(old)
            assert pq.ParquetFile(file, metadata=footer).read().equals(pq.ParquetFile(old).read())
            assert not pq.ParquetFile(file).read().equals(pq.ParquetFile(old).read())
    assert grown > 3


@pytest.mark.slow
@pytest.mark.parametrize("way", ["grown", "fresh"])
def test_readers_of_files_replaced_without_pause_fail_only_where_each_file_is_written_afresh(way, tmp_path):
    """Polars and DuckDB take a footer, and later open the name again for the pages. `fresh` is the control."""
    stop = tmp_path / "stop"
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.restless_file", str(tmp_path), way, str(stop)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    looks, failed, torn = Counter(), Counter(), Counter()
    try:
        wait_for(lambda: len(list(tmp_path.glob("table/*.parquet"))) == len(FILES))
        for engine, read in READERS.items():
            until = time.monotonic() + 5
            while time.monotonic() < until:
                looks[engine] += 1
                try:
                    rows = read(tmp_path / "table", ["k", "revision"])
                except BaseException as error:  # noqa: BLE001 - a panic of Polars is no Exception
                    failed[engine] += not isinstance(error, KeyboardInterrupt)
                    continue
                whole = [{row["revision"] for row in rows[i : i + ROWS]} for i in range(0, len(rows), ROWS)]
                torn[engine] += len(rows) != ROWS * len(FILES) or any(len(each) != 1 for each in whole)
        stop.touch()
        revisions = int(writer.communicate(timeout=120)[0])
    finally:
        if writer.poll() is None:
            writer.kill()

    print(f"{way}: {revisions} revisions of each file; looks {dict(looks)}, failed {dict(+failed)}")
    assert revisions > 50
    assert not +torn, "no reader ever saw wrong rows"
    assert bool(+failed) == (way == "fresh")
