"""A real process dies at every failpoint there is, and loses every reply that can be lost; no row is lost or doubled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chaos.replay_job import TO_THE_END, gold_over, write_archive, wrong
from tests.support.followed import Protocol

from arrowflow.engine import start
from arrowflow.failpoints import REGISTRY

ROOT = Path(__file__).parents[2]
ONLY_ON_RETRY = {"redo.mid"}
"""Points passed only on the way back from a crash that left something to publish; they have a test of their own."""
NEEDS_A_LOG = {"recover.head_loaded"}
"""Points that the very first start does not pass: there is no record yet."""
NEEDS_CORRECTIONS = {"stage.revision", "publish.replace", "publish.between_look_rename"}
"""Points that only a corrected window passes; `tests/chaos/test_revisions.py` kills there."""
NEEDS_A_PAST = {"gc.horizon", "gc.object", "gc.manifest"}
"""Points that only a run with old records passes; `tests/chaos/test_collecting.py` kills there."""


NEEDS_A_TOPIC = {name for name in REGISTRY if name.startswith("kafka.")} | {"stage.outbox"}
"""Points that only a job with a topic passes; `tests/chaos/test_kafka_delivery.py` kills there, on a real Kafka, and
`tests/unit/phases/test_delivery.py` loses their replies."""
IN_A_BUCKET = {"publish.between_copy_delete"}
"""Points that only a lake in a bucket passes; `tests/chaos/test_bucket.py` ends runs there."""
NOT_OF_A_RUN = {name for name in REGISTRY if name.startswith(("reset.", "drop."))}
"""Points of other verbs; `tests/chaos/test_resets.py` kills there."""
NEEDS_SEALING = {name for name in REGISTRY if name.startswith("compact.")}
"""Points that only a run with old records of a sealed table passes; `tests/chaos/test_sealing.py` kills there."""
ELSEWHERE = NEEDS_CORRECTIONS | NEEDS_A_PAST | NEEDS_SEALING | NEEDS_A_TOPIC | IN_A_BUCKET | NOT_OF_A_RUN


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "production.ndjson"
    return path, write_archive(path, rows=2500)


def run(archive: Path, lake: Path, protocol: Protocol, plan: str = "") -> subprocess.CompletedProcess:
    env = {**os.environ, **protocol.env, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "ARROWFLOW_FAILPOINTS": plan}
    env["ARROWFLOW_FAILPOINT_TRACE"] = str(lake.with_suffix(".trace"))
    return subprocess.run(
        [sys.executable, "-m", "tests.chaos.replay_job", str(archive), str(lake)],
        env=env, cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(set(REGISTRY) - ONLY_ON_RETRY - ELSEWHERE))
def test_a_kill_at_this_point_loses_and_doubles_nothing(point, archive, protocol, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"

    if point in NEEDS_A_LOG:
        assert run(path, lake, protocol, "commit.created:1:kill").returncode == -9
    killed = run(path, lake, protocol, f"{point}:2:kill" if _comes_twice(point) else f"{point}:1:kill")
    assert killed.returncode == -9, f"{point} was never passed: {killed.stderr}"
    start(gold_over(path, lake), TO_THE_END, failpoints=protocol.failpoints()).result()

    assert wrong(sheet, lake) == []
    protocol.must_be_followed()


@pytest.mark.slow
def test_a_kill_while_making_good_an_earlier_kill_loses_and_doubles_nothing(archive, protocol, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"

    assert run(path, lake, protocol, "commit.checked:3:kill").returncode == -9
    assert run(path, lake, protocol, "redo.mid:1:kill").returncode == -9
    start(gold_over(path, lake), TO_THE_END, failpoints=protocol.failpoints()).result()

    assert wrong(sheet, lake) == []
    protocol.must_be_followed()


@pytest.mark.parametrize(
    "point",
    sorted(name for name, (_, lossy) in REGISTRY.items() if lossy and name not in ELSEWHERE),
)
def test_a_lost_reply_at_this_point_loses_and_doubles_nothing(point, archive, protocol, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"

    failpoints = protocol.failpoints(f"{point}:1:lost", str(tmp_path / "trace"))

    start(gold_over(path, lake), TO_THE_END, failpoints=failpoints).result()

    assert f"{point}/reply" in (tmp_path / "trace").read_text().split()
    assert wrong(sheet, lake) == []
    protocol.must_be_followed()


@pytest.mark.slow
def test_a_full_disk_stops_without_a_torn_record_and_goes_on_when_freed(archive, protocol, tmp_path):
    """Row 84."""
    path, sheet = archive
    lake = tmp_path / "lake"

    full = run(path, lake, protocol, "fs.enospc:9:enospc")
    start(gold_over(path, lake), TO_THE_END, failpoints=protocol.failpoints()).result()

    assert full.returncode in (0, 3), full.stderr
    assert wrong(sheet, lake) == []
    protocol.must_be_followed()


def _comes_twice(point: str) -> bool:
    return not point.startswith(("recover.", "open.", "redo."))
