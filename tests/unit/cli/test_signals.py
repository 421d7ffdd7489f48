"""Row 76: SIGTERM, SIGINT, double Ctrl-C and SIGHUP, in a process of their own with an engine that waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.cli import arrowflow, ended

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys, threading, time
from arrowflow.cli import main
from tests.unit.cli.fakes import FakeEngine, FakeRun

class Draining(FakeRun):
    def stop(self):
        self.stops += 1
        print("STOP", self.stops, flush=True)
        threading.Timer(float(sys.argv[1]), self.done.set).start()

run = Draining(until_stopped=True)
def start(*args, **kwargs):
    threading.Timer(0.1, lambda: print("READY", flush=True)).start()
    return run
engine = FakeEngine(run)
session = engine.session()
session.start = start
main(["run", "job.toml"], obj=session)
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def _start(drain_s):
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(drain_s)],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "READY\n"
    return child


def _end(child):
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_row_76_the_first_signal_drains_and_exits_with_0(number):
    child = _start(0.3)

    child.send_signal(number)

    code, out, err = _end(child)
    assert code == 0, err
    assert out.count("STOP") == 1
    assert "1,000 read = " in out, "the summary comes after the drain"
    assert f"{number.name}: committing what was read, then ending" in err


def test_row_76_a_second_ctrl_c_ends_at_once_with_130():
    child = _start(60)

    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "STOP 1\n"
    began = time.monotonic()
    child.send_signal(signal.SIGINT)

    code, out, err = _end(child)
    assert code == 130
    assert time.monotonic() - began < 45  # the drain would take 60 s
    assert "ended by force" in err
    assert "read =" not in out


def test_row_76_a_second_sigterm_does_not_cut_the_drain_short():
    child = _start(0.5)

    child.send_signal(signal.SIGTERM)
    assert child.stdout.readline() == "STOP 1\n"
    child.send_signal(signal.SIGTERM)

    code, out, _ = _end(child)
    assert code == 0
    assert "STOP 2" not in out


def test_row_76_ctrl_c_after_sigterm_ends_at_once():
    child = _start(60)

    child.send_signal(signal.SIGTERM)
    assert child.stdout.readline() == "STOP 1\n"
    child.send_signal(signal.SIGINT)

    assert _end(child)[0] == 130


INTERRUPTS_ITS_IMPORT = """
import importlib, os, signal

load = importlib.import_module

def interrupted(name, package=None):
    if name == "arrowflow.cli.log":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins without one
        exec("os.kill(os.getpid(), signal.SIGINT)")
    return load(name, package)

importlib.import_module = interrupted
"""


def test_an_interrupt_inside_generated_code_still_ends_with_130(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTS_ITS_IMPORT, encoding="utf-8")

    code, out, err = ended(arrowflow("log", "nothing", path=str(tmp_path)))

    assert (code, out, err) == (130, "", "arrowflow: interrupted\n")
