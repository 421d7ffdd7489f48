"""Row 84: disks that are full, read-only or out of inodes, and processes out of file handles, under a running job."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, suppress
from itertools import count

import pytest
from tests.support.small import pipeline, results, rows
from tests.unit.phases.test_recovery import RIGHT, STREAM, records
from tests.unit.stores.test_local import mounted, no_file_handle_left

from arrowflow.engine import start
from arrowflow.errors import ConfigError, RetryableError
from arrowflow.events import Notice, Started
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import RunOptions
from arrowflow.testing.observer import RecordingObserver

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)


def whole(folder) -> bool:
    """Every record reads back and follows the one before it; nothing unnamed lies in a table."""
    log = records(folder)
    assert [record["epoch"] for record in log] == list(range(len(log)))
    assert [record["prev"] for record in log[1:]] == [record["sha256"] for record in log[:-1]]
    for stream in ("out", "late", "dead"):
        files = [path for path in (folder / "small" / stream).rglob("*") if path.is_file()]
        assert all(path.suffix == ".parquet" and not path.name.startswith(".") for path in files)
    return True


def run(folder, options=TO_THE_END, **kwargs):
    return start(pipeline(folder, STREAM), options, **kwargs)


def fill(disk):
    """Leave no byte free; returns the ballast."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


class AtStart(RecordingObserver):
    """Does something to the machine once the run owns its log."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def notice(self, event):
        super().notice(event)
        if isinstance(event, Started):
            self.what()


def wait_for(condition, patience_s=60.0):
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_row_84_a_disk_that_fills_up_under_the_job_is_waited_for_and_the_same_run_goes_on_when_it_is_freed(tmp_path):
    run(tmp_path / "warm").result()
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as disk:
        start(pipeline(disk, STREAM[:20]), RunOptions(until_caught_up=True, take_over=True)).result()
        observer = AtStart(lambda: fill(disk))
        going = run(disk, observer=observer)
        wait_for(lambda: any("No space left" in note.message for note in observer.of(Notice)))
        before = len(records(disk))
        assert whole(disk)
        assert not going.wait(0.5), "it waits for space"
        assert len(records(disk)) == before
        (disk / "ballast").unlink()
        going.result()

        assert results(disk) == RIGHT
        assert whole(disk)


def test_row_84_a_job_stopped_on_a_full_disk_says_what_to_free_and_the_next_run_makes_it_good(tmp_path):
    run(tmp_path / "warm").result()
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as disk:
        start(pipeline(disk, STREAM[:20]), RunOptions(until_caught_up=True, take_over=True)).result()
        ballast = fill(disk)

        with pytest.raises(RetryableError, match=r"cannot create .*_log.*ENOSPC.*free space or inodes"):
            run(disk).result()
        assert whole(disk)
        ballast.unlink()
        run(disk).result()

        assert results(disk) == RIGHT


def test_row_84_no_inode_left_stops_cleanly_and_is_made_good(tmp_path):
    run(tmp_path / "warm").result()
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "nr_inodes=200", "tmpfs") as disk:
        start(pipeline(disk, STREAM[:20]), RunOptions(until_caught_up=True, take_over=True)).result()
        taken = disk / "taken"
        taken.mkdir()
        with suppress(OSError):
            for number in range(1000):
                (taken / str(number)).touch()

        with pytest.raises(RetryableError, match=r"ENOSPC.*inodes"):
            run(disk).result()
        assert whole(disk)
        subprocess.run(["rm", "-r", str(taken)], check=True)
        run(disk).result()

        assert results(disk) == RIGHT


def test_row_84_a_disk_that_is_remounted_read_only_stops_the_job_with_its_name(tmp_path):
    run(tmp_path / "warm").result()
    with mounted(tmp_path / "disk", "-t", "tmpfs", "tmpfs") as disk:
        start(pipeline(disk, STREAM[:20]), RunOptions(until_caught_up=True, take_over=True)).result()

        locking = AtStart(lambda: subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True))
        with pytest.raises(ConfigError, match=r"disk/small/_log.*EROFS.*read-only"):
            run(disk, observer=locking).result()
        assert whole(disk)
        with pytest.raises(ConfigError, match="EROFS"):
            run(disk).result()
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        run(disk).result()

        assert results(disk) == RIGHT
        assert whole(disk)


def test_row_84_no_file_handle_left_stops_cleanly_and_is_made_good(tmp_path):
    start(pipeline(tmp_path, STREAM[:20]), RunOptions(until_caught_up=True, take_over=True)).result()
    before = results(tmp_path)

    with ExitStack() as machine:
        observer = AtStart(lambda: machine.enter_context(no_file_handle_left()))
        going = run(tmp_path, observer=observer)
        wait_for(lambda: any("Too many open files" in note.message for note in observer.of(Notice)))
        assert not going.wait(0.3), "it waits for handles"
        going.stop()
        with pytest.raises(RetryableError, match=r"EMFILE|ENFILE"):
            going.result()
    assert results(tmp_path) == before
    assert whole(tmp_path)
    run(tmp_path).result()

    assert results(tmp_path) == RIGHT


@pytest.mark.parametrize(("times", "survives"), [(1, True), (3, False)])
def test_row_84_whichever_write_meets_the_full_disk_nothing_is_torn_and_nothing_is_lost(tmp_path, times, survives):
    """Fail the n-th write and as many more as `times` says, for n = 1, 2, 3 … until a run has no n-th one."""
    stream = rows(*((key, second, 1.0) for second in range(0, 60, 5) for key in "ab"))
    right = [(key, at, 2, 2.0) for key in "ab" for at in range(0, 60, 10)]
    stopped = []
    for n in count(1):
        folder, failpoints = tmp_path / str(n), Failpoints.parse(plan(n, times))
        job = pipeline(folder, stream)
        with suppress(RetryableError):
            start(job, TO_THE_END, failpoints=failpoints).result()
        if results(folder) != right:
            stopped.append(n)
            assert whole(folder)
            start(job, TO_THE_END).result()
        assert results(folder) == right
        assert whole(folder)
        if failpoints._passed["fs.enospc"] < n:
            break
    assert n > 6, "the job file, the open record, results, state, their record, the closing record"
    assert survives == (not stopped), (
        "one failure is tried again within the run; three end it where nothing is in flight yet"
    )


def plan(first, times):
    return ",".join(f"fs.enospc:{n}:enospc" for n in range(first, first + times))
