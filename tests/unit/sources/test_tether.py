"""A tethered child ends when it is told, and when its parent ends, however that happens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arrowflow.sources.kafka.tether import Tethered, free_ports


def gone(pid):
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_stop_ends_it_and_may_be_said_twice(tmp_path):
    child = Tethered(["sleep", "60"], tmp_path / "log")
    assert child.running
    child.stop()
    child.stop()

    assert not child.running
    assert gone(child.pid)


def test_kill_ends_it_even_when_frozen(tmp_path):
    child = Tethered(["sleep", "60"], tmp_path / "log")
    child.freeze()
    child.kill()

    assert gone(child.pid)


@pytest.mark.slow
def test_a_child_deaf_to_term_is_killed_after_some_seconds(tmp_path):
    child = Tethered(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"], tmp_path / "log")
    while "deaf" not in child.tail():
        time.sleep(0.02)
    child.stop()

    assert gone(child.pid)


def test_a_child_that_ends_by_itself_is_noticed_with_its_last_words(tmp_path):
    child = Tethered(["sh", "-c", "echo no luck; exit 3"], tmp_path / "log")
    while child.running:
        time.sleep(0.02)

    assert child.tail() == "no luck\n"
    child.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_parent(tmp_path, how):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom arrowflow.sources.kafka.tether import Tethered\n"
        "print(Tethered(['sleep', '60'], Path(sys.argv[1])).pid, flush=True)\ntime.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(how)
        parent.wait()

    assert gone(child)


def test_a_descriptor_it_keeps_stays_open_as_long_as_it_lives(tmp_path):
    read, write = os.pipe()
    child = Tethered(["sleep", "60"], tmp_path / "log", keep_open=(write,))
    os.close(write)
    os.set_blocking(read, False)
    with pytest.raises(BlockingIOError):
        os.read(read, 1)

    child.kill()

    os.set_blocking(read, True)
    assert os.read(read, 1) == b""
    os.close(read)


def test_free_ports_differ():
    assert len(set(free_ports(5))) == 5
