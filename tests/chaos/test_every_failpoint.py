"""A real process dies at every failpoint there is, and loses every reply that can be lost; no row is lost or doubled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chaos.replay_job import TO_THE_END, gold_over, write_archive, wrong

from arrowflow.engine import start
from arrowflow.failpoints import REGISTRY, Failpoints

ROOT = Path(__file__).parents[2]
ONLY_ON_RETRY = {"redo.mid"}
"""Points passed only on the way back from a crash that left something to publish; they have a test of their own."""
NEEDS_A_LOG = {"recover.head_loaded"}
"""Points that the very first start does not pass: there is no record yet."""
NEEDS_CORRECTIONS = {"stage.revision", "publish.replace", "publish.between_look_rename"}
"""Points that only a corrected window passes; `tests/chaos/test_revisions.py` kills there."""


NOT_OF_A_RUN = {name for name in REGISTRY if name.startswith(("reset.", "drop."))}
"""Points of other verbs; `tests/chaos/test_resets.py` kills there."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "production.ndjson"
    return path, write_archive(path, rows=2500)


def run(archive: Path, lake: Path, plan: str = "") -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "ARROWFLOW_FAILPOINTS": plan}
    env["ARROWFLOW_FAILPOINT_TRACE"] = str(lake.with_suffix(".trace"))
    return subprocess.run(
        [sys.executable, "-m", "tests.chaos.replay_job", str(archive), str(lake)],
        env=env, cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(set(REGISTRY) - ONLY_ON_RETRY - NEEDS_CORRECTIONS - NOT_OF_A_RUN))
def test_a_kill_at_this_point_loses_and_doubles_nothing(point, archive, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"

    if point in NEEDS_A_LOG:
        assert run(path, lake, "commit.created:1:kill").returncode == -9
    killed = run(path, lake, f"{point}:2:kill" if _comes_twice(point) else f"{point}:1:kill")
    assert killed.returncode == -9, f"{point} was never passed: {killed.stderr}"
    start(gold_over(path, lake), TO_THE_END).result()

    assert wrong(sheet, lake) == []


@pytest.mark.slow
def test_a_kill_while_making_good_an_earlier_kill_loses_and_doubles_nothing(archive, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"

    assert run(path, lake, "commit.checked:3:kill").returncode == -9
    assert run(path, lake, "redo.mid:1:kill").returncode == -9
    start(gold_over(path, lake), TO_THE_END).result()

    assert wrong(sheet, lake) == []


@pytest.mark.parametrize(
    "point", sorted(name for name, (_, lossy) in REGISTRY.items() if lossy and name not in NEEDS_CORRECTIONS)
)
def test_a_lost_reply_at_this_point_loses_and_doubles_nothing(point, archive, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"

    failpoints = Failpoints.parse(f"{point}:1:lost", str(tmp_path / "trace"))

    start(gold_over(path, lake), TO_THE_END, failpoints=failpoints).result()

    assert f"{point}/reply" in (tmp_path / "trace").read_text().split()
    assert wrong(sheet, lake) == []


@pytest.mark.slow
def test_a_full_disk_stops_without_a_torn_record_and_goes_on_when_freed(archive, tmp_path):
    """Row 84."""
    path, sheet = archive
    lake = tmp_path / "lake"

    full = run(path, lake, "fs.enospc:9:enospc")
    start(gold_over(path, lake), TO_THE_END).result()

    assert full.returncode in (0, 3), full.stderr
    assert wrong(sheet, lake) == []


def _comes_twice(point: str) -> bool:
    return not point.startswith(("recover.", "open.", "redo."))
