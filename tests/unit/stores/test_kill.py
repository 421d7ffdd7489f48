"""Kill -9 inside the local store: nothing torn, nothing foreign, and a restart finishes the work."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.stores.kill_worker import OBJECTS, content, is_whole, work

from arrowflow.failpoints import Failpoints
from arrowflow.stores.local import LocalStore

WORKER = Path(__file__).with_name("kill_worker.py")
SRC = Path(__file__).parents[3] / "src"
POINTS = (
    "fs.enospc",
    "fs.fsync_file",
    "fs.fsync_dir",
    "publish.between_link_unlink",
    "publish.between_look_rename",
    "publish.after",
)


def check_nothing_torn_or_foreign(base):
    """Every visible object is whole; the table holds nothing but what is published, hidden names included."""
    store = LocalStore()
    assert all(is_whole(store.read(path)) for path in store.list(str(base)))
    in_table = {str(path.relative_to(base)) for path in (base / "table").rglob("*") if path.is_file()}
    assert in_table <= {f"table/p={i}/{i}.parquet" for i in range(OBJECTS)}


# Folders are made first: fs.fsync_dir follows the link of a record, of a published file and of its replacement from its
# 8th passing on.
PLANS = [(point, hit) for point in POINTS for hit in (1, 3)] + [("fs.fsync_dir", n) for n in range(8, 18)]


@pytest.mark.parametrize(("point", "hit"), PLANS)
def test_row_75_killed_in_the_store_nothing_is_torn_and_a_restart_finishes(tmp_path, point, hit):
    base, trace = tmp_path / "base", tmp_path / "trace"
    plan = f"{point}:{hit}:kill"

    killed = subprocess.run(
        [sys.executable, str(WORKER), str(base), plan, str(trace)], env={"PYTHONPATH": str(SRC)}, check=False
    )

    passed = trace.read_text().split()
    print(f"{plan}: passed {len(passed)} points, the last was {passed[-1]}, left {LocalStore().list(str(base))}")
    assert killed.returncode == -9
    assert passed[-1] == point
    check_nothing_torn_or_foreign(base)
    work(base, Failpoints())
    check_nothing_torn_or_foreign(base)
    store = LocalStore()
    assert store.list(f"{base}/table") == [f"{base}/table/p={i}/{i}.parquet" for i in range(OBJECTS)]
    assert [store.read(path) for path in store.list(f"{base}/table")] == [content(200 + i) for i in range(OBJECTS)]
    assert store.list(f"{base}/control") == [f"{base}/control/manifests/{i}.json" for i in range(OBJECTS)]
    assert not list((base / "control" / "manifests").glob(".af-*")), "temporary files of the dead process stayed"
