"""A real process dies while it collects old records, on a real disk; the next one loses nothing, doubles nothing, and goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chaos.replay_job import TO_THE_END, gold_collecting, write_archive, wrong
from tests.chaos.test_every_failpoint import NEEDS_A_PAST

from arrowflow.audit import LocalFiles, audit
from arrowflow.engine import start
from arrowflow.failpoints import REGISTRY, Failpoints

ROOT = Path(__file__).parents[2]
KEEP = 5


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "production.ndjson"
    return path, write_archive(path, rows=2500)


def dies(archive: Path, lake: Path, plan: str) -> bool:
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "ARROWFLOW_FAILPOINTS": plan}
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.replay_job", str(archive), str(lake), str(KEEP)],
        env=env, cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


def in_order(sheet: dict, lake: Path, *, deep: bool = True) -> None:
    report = audit(LocalFiles(), str(lake / "_arrowflow" / "gold_production"), deep=deep)
    assert report.findings == []
    assert wrong(sheet, lake) == []


def records(lake: Path) -> list[int]:
    return sorted(int(path.stem) for path in (lake / "_arrowflow" / "gold_production" / "manifests").rglob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(NEEDS_A_PAST))
def test_a_kill_while_collecting_loses_and_doubles_nothing(point, archive, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"

    assert dies(path, lake, f"{point}:3:kill"), f"{point} was never passed"
    start(gold_collecting(path, lake, KEEP), TO_THE_END).result()

    in_order(sheet, lake)
    assert records(lake)[0] > 0


@pytest.mark.parametrize("point", sorted(name for name in NEEDS_A_PAST if REGISTRY[name][1]))
def test_a_lost_reply_while_collecting_loses_and_doubles_nothing(point, archive, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"
    failpoints = Failpoints.parse(f"{point}:2:lost", str(tmp_path / "trace"))

    start(gold_collecting(path, lake, KEEP), TO_THE_END, failpoints=failpoints).result()

    assert f"{point}/reply" in (tmp_path / "trace").read_text().split()
    in_order(sheet, lake)


def test_on_a_disk_no_empty_folder_is_left_where_something_was_collected(archive, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"

    start(gold_collecting(path, lake, KEEP), TO_THE_END).result()

    in_order(sheet, lake)
    kept = records(lake)
    assert kept[0] > 5
    assert len(kept) < 5 + KEEP + 8
    folders = [each for each in (lake / "_arrowflow").rglob("*") if each.is_dir()]
    assert [each for each in folders if not any(each.iterdir())] == []
    # A second start finds its way on the shortened log, and nothing to do.
    assert start(gold_collecting(path, lake, KEEP), TO_THE_END).result().balance.read == 0
    in_order(sheet, lake)
