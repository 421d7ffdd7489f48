"""A real process dies while it puts small files together, on a real disk and in a bucket, and others read the table meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.chaos.lake_reader import as_row
from tests.chaos.replay_job import TO_THE_END, gold_collecting, write_archive
from tests.chaos.test_every_failpoint import NEEDS_SEALING
from tests.support.buckets import BUCKET, strict_fake
from tests.support.cli import wait_for

import arrowflow as af
from arrowflow.audit import LocalFiles, audit
from arrowflow.engine import start
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.stores.gcs.patience import Patience
from arrowflow.testing.clock import ManualClock

ROOT = Path(__file__).parents[2]
KEEP = 5


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "production.ndjson"
    return path, write_archive(path, rows=1200)


def process(*args: str | Path, **env: str) -> subprocess.Popen:
    own = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **env}
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, args)], env=own, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def log_of(lake: Path | str) -> str:
    return f"{lake}/_arrowflow/gold_production"


def in_order(sheet: dict, lake: Path | str) -> None:
    """What `af.scan` gives is the answer, each window once."""
    names = [name for name in sheet["windows"][0] if name != "rows"]
    rows = af.scan(log_of(lake)).to_table(columns=names).to_pylist()
    assert Counter(as_row(row, names) for row in rows) == Counter(as_row(window, names) for window in sheet["windows"])


def clean(lake: Path) -> None:
    report = audit(LocalFiles(), log_of(lake), deep=True)
    assert report.findings == []


def sealed(lake: Path) -> list[Path]:
    return sorted((lake / "gold" / "production__sealed").rglob("*.parquet"))


@pytest.mark.slow
def test_kills_while_sealing_lose_and_double_nothing_and_readers_through_the_log_see_no_other_table(archive, tmp_path):
    path, sheet = archive
    lake, answer, out, stop = (tmp_path / name for name in ("lake", "answer", "out", "stop"))
    answer.write_text(json.dumps({"windows": sheet["windows"]}))
    lake.mkdir()
    (Path(log_of(lake)) / "manifests").mkdir(parents=True)
    reader = process("tests.chaos.scan_reader", log_of(lake), answer, out, stop)
    try:
        for plan in ("compact.committed:2:kill", "gc.object:9:kill"):
            killed = process("tests.chaos.replay_job", path, lake, str(KEEP), "sealed", ARROWFLOW_FAILPOINTS=plan)
            _, told = killed.communicate(timeout=300)
            assert killed.returncode == -9, told
        start(gold_collecting(path, lake, KEEP, sealed=True), TO_THE_END).result()
        stop.touch()
        wait_for(lambda: out.exists() or reader.poll() not in (None, 0), 300)
        _, told = reader.communicate(timeout=60)
    finally:
        if reader.poll() is None:
            reader.kill()
            reader.communicate()
    seen = json.loads(out.read_text())

    assert reader.returncode == 0, told
    assert seen["violations"] == []
    assert seen["looks"] > 2
    assert seen["rows"] == len(sheet["windows"])
    in_order(sheet, lake)
    clean(lake)
    assert sealed(lake)


@pytest.mark.parametrize("point", sorted(NEEDS_SEALING))
def test_a_run_that_ends_while_sealing_is_made_good_by_the_next(point, archive, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"
    with pytest.raises(SimulatedCrash):
        start(
            gold_collecting(path, lake, KEEP, sealed=True), TO_THE_END, failpoints=Failpoints.parse(f"{point}:2:crash")
        ).result()
    clean(lake)
    start(gold_collecting(path, lake, KEEP, sealed=True), TO_THE_END).result()

    in_order(sheet, lake)
    clean(lake)
    assert len(sealed(lake)) > 3


@pytest.mark.parametrize("plan", ["", "compact.mid_publish:3:crash"])
def test_in_a_bucket_the_same(plan, archive, tmp_path):
    path, sheet = archive
    lake = f"gs://{BUCKET}/af"

    def run(plan: str) -> None:
        job = gold_collecting(path, lake, KEEP, sealed=True)
        log = replace(job.checkpoint.log, patience=Patience(ManualClock()))
        job = replace(job, checkpoint=replace(job.checkpoint, log=log, max_epoch_rows=300, max_slice_rows=300))
        start(job, TO_THE_END, failpoints=Failpoints.parse(plan)).result()

    with strict_fake() as fake:
        if plan:
            with pytest.raises(SimulatedCrash):
                run(plan)
        run("")
        in_order(sheet, lake)
        names = list(fake.snapshot(BUCKET))
        assert [name for name in names if name.startswith("af/gold/production__sealed/")]
        dump = fake.dump(BUCKET, tmp_path / "dump")
    assert dump.exists()
