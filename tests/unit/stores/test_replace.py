"""Who sleeps between looking at a file and renaming over it, however long, undoes nothing; and processes that race agree."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.unit.stores.replace_worker import revise, revision, stage

from arrowflow.stores.local import LocalStore

WORKER = Path(__file__).with_name("replace_worker.py")
SRC = Path(__file__).parents[3] / "src"
POINT = "publish.between_look_rename"


def worker(base, last, plan=""):
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(base), str(last), plan],
        env={"PYTHONPATH": str(SRC)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_frozen(process):
    deadline = time.monotonic() + 30
    while Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert time.monotonic() < deadline, "never froze"
        time.sleep(0.01)


@pytest.mark.parametrize("revisions_meanwhile", [2, 3, 5])
def test_a_zombie_that_wakes_between_its_look_and_its_rename_finds_nothing_to_rename(tmp_path, revisions_meanwhile):
    """It looked at revision 1 and slept; others made 2, and perhaps more. Its rename must not bring 2 back."""
    stage(tmp_path, revisions_meanwhile)
    zombie = worker(tmp_path, 2, f"{POINT}:1:stop")
    try:
        wait_frozen(zombie)
        for number in range(2, revisions_meanwhile + 1):
            revise(LocalStore(), tmp_path, number)
        os.kill(zombie.pid, signal.SIGCONT)
        out, _ = zombie.communicate(timeout=120)
    finally:
        if zombie.poll() is None:
            zombie.kill()

    assert (tmp_path / "table" / "a").read_bytes() == revision(revisions_meanwhile)
    assert out.split() == (["2"] if revisions_meanwhile == 2 else []), "it may call done only what is there"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a"]


def test_a_process_killed_between_its_look_and_its_rename_leaves_the_old_revision_and_the_next_one_makes_it(tmp_path):
    stage(tmp_path, 2)
    killed = worker(tmp_path, 2, f"{POINT}:1:kill")
    killed.communicate(timeout=120)

    assert killed.returncode == -9
    assert (tmp_path / "table" / "a").read_bytes() == revision(1)
    revise(LocalStore(), tmp_path, 2)
    assert (tmp_path / "table" / "a").read_bytes() == revision(2)


def test_processes_that_race_over_forty_revisions_agree_and_a_reader_sees_them_only_grow(tmp_path):
    last = 40
    stage(tmp_path, last)
    racers = [worker(tmp_path, last) for _ in range(3)]
    seen = []
    while any(racer.poll() is None for racer in racers):
        seen.append((tmp_path / "table" / "a").read_bytes())
    done = [list(map(int, racer.communicate(timeout=120)[0].split())) for racer in racers]

    numbers = [int(data.split()[1]) for data in seen]
    print("reads", len(seen), "revisions seen", len(set(numbers)), "made or found made", [len(each) for each in done])
    assert numbers == sorted(numbers)
    assert all(data == revision(number) for data, number in zip(seen, numbers, strict=True)), "a torn file was read"
    assert set().union(*done) == set(range(2, last + 1))
    assert (tmp_path / "table" / "a").read_bytes() == revision(last)


def test_an_open_file_shows_the_old_revision_to_its_end(tmp_path):
    stage(tmp_path, 3)
    with (tmp_path / "table" / "a").open("rb") as reader:
        start = reader.read(100)
        revise(LocalStore(), tmp_path, 2)
        revise(LocalStore(), tmp_path, 3)

        assert start + reader.read() == revision(1)
