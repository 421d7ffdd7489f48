"""Output that nobody takes: readers that leave, full disks, closed streams, terminals that are gone. In real processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.chaos.replay_job import write_archive
from tests.support.cli import ROOT, arrowflow, ended, wait_for, write_config

AF = f"{sys.executable} -m arrowflow"
TO_THE_END = "--until-caught-up --close-open-windows"


@pytest.fixture
def job(tmp_path):
    write_archive(tmp_path / "a.ndjson", rows=300)
    return write_config(tmp_path, tmp_path / "a.ndjson")


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell; `$AF` is the program. The exit code is the program's own."""
    return subprocess.run(
        ["bash", "-c", line], env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "AF": AF},
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def kinds(folder: Path) -> list[str]:
    files = sorted((folder / "lake" / "_arrowflow" / "gold_production" / "manifests").rglob("*.json"))
    return [json.loads(file.read_bytes())["kind"] for file in files]


@pytest.mark.parametrize(
    "verb", ["explain gold.toml", "schema", "chaos --list", "sample production --rows 20000", "--help"]
)
def test_a_reader_that_has_seen_enough_is_no_bug(job, verb):
    done = shell(f"$AF {verb} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}", job.parent)

    assert done.stderr == ""
    assert done.returncode in (0, 141)


def test_a_reader_that_never_read_ends_a_verb_with_141(job):
    done = shell("$AF sample production --rows 20000 | true; exit ${PIPESTATUS[0]}", job.parent)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("verb", ["explain gold.toml", "schema", "sample production --rows 2"])
def test_a_result_that_does_not_fit_on_the_disk_is_told_and_is_no_bug(job, verb):
    done = shell(f"$AF {verb} > /dev/full", job.parent)

    assert done.returncode in (2, 3)
    assert "No space left on device" in done.stderr
    assert "bug" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "verb", ["explain gold.toml", "validate gold.toml", "sample production --rows 2", "log gold.toml"]
)
def test_closed_streams_are_no_bug(job, verb):
    done = shell(f"$AF {verb} >&-", job.parent)

    assert done.returncode in (0, 2)
    assert "bug" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("streams", ["2>&1 | true", ">/dev/full 2>/dev/full", ">&- 2>&-", ">/dev/full 2>&-"])
def test_a_run_ends_well_and_with_0_whoever_takes_its_lines_or_not(job, streams):
    done = shell(f"$AF run gold.toml {TO_THE_END} {streams}; exit ${{PIPESTATUS[0]}}", job.parent)

    assert done.returncode == 0, done.stderr
    assert kinds(job.parent) == ["open", "data", "close"]


ON_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "arrowflow", *sys.argv[1:]])
"""


def on_terminal(*args: str, **env: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start the program on a terminal of its own; returns it and our end of the terminal."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm", **env}
    child = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *args], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    )
    os.close(theirs)
    return child, ours


@pytest.mark.slow
def test_a_run_whose_terminal_is_closed_commits_what_it_read(job):
    """The terminal goes, SIGHUP comes, and nothing can be printed any more."""
    child, terminal = on_terminal("run", str(job))
    wait_for(lambda: "data" in kinds(job.parent))

    os.close(terminal)

    assert child.wait(60) == 0
    assert kinds(job.parent)[-1] == "close"


@pytest.mark.slow
@pytest.mark.parametrize("columns", [1, 20, 500])
def test_a_terminal_of_any_width_shows_a_run_to_its_end(job, columns):
    child, terminal = on_terminal("run", str(job), *TO_THE_END.split(), COLUMNS=str(columns))
    shown = bytearray()
    with suppress(OSError):  # how a terminal says that the other side is gone
        while piece := os.read(terminal, 65536):
            shown += piece
    os.close(terminal)

    assert child.wait(60) == 0, shown.decode()
    assert b"300 read = " in shown.replace(b"\r\n", b"")


@pytest.mark.slow
def test_no_color_leaves_no_escape_in_plain_lines(job):
    code, out, err = ended(arrowflow("run", job, *TO_THE_END.split(), NO_COLOR="1"))

    assert code == 0
    assert "\x1b" not in out + err


def test_a_signal_before_anything_runs_leaves_nothing_behind(tmp_path):
    child = arrowflow("init", tmp_path / "p.toml")
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=120)

    done = subprocess.run(
        [*AF.split(), "init", "--force", str(tmp_path / "p.toml")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0
    assert "[checkpoint]" in (tmp_path / "p.toml").read_text()


def test_init_that_cannot_write_it_all_leaves_no_half_file(tmp_path):
    from tests.unit.stores.test_local import mounted

    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=4k", "tmpfs") as disk:
        (disk / "ballast").write_bytes(b"x" * 4096)
        code, _, err = ended(arrowflow("init", disk / "p.toml"))

        assert code == 2
        assert "No space left" in err
        assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_the_next_command_that_init_names_can_be_pasted(tmp_path):
    _, out, _ = ended(arrowflow("init", tmp_path / "a b ñ'.toml"))

    assert f"'{tmp_path}/a b ñ'\"'\"'.toml'" in out


@pytest.mark.parametrize("variable", ["ARROWFLOW_FAILPOINT_TRACE", "ARROWFLOW_TRACE_PROTOCOL"])
def test_a_trace_that_cannot_be_opened_is_told(job, variable):
    code, _, err = ended(arrowflow("run", job, **{variable: "/nonexistent/trace"}))

    assert code == 2
    assert f"{variable}: /nonexistent/trace: No such file" in err


WEAK = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def weakly(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a user who may not do everything, whoever runs the tests."""
    if os.getuid() == 0 and subprocess.run([*WEAK, "true"], capture_output=True).returncode:
        pytest.skip("cannot give up the powers of root here")
    prefix = WEAK if os.getuid() == 0 else []
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **env}
    return subprocess.run(
        [*prefix, *AF.split(), *args], cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    "args",
    [("schema", "--out", "closed/s.json"), ("init", "closed/p.toml"), ("sample", "orders", "--out", "closed/s"), ("log", "shut/x"), ("validate", "shut/x.toml"), ("run", "gold.toml")],
    ids=" ".join,
)  # fmt: skip
def test_a_folder_that_this_user_may_not_use_is_told_and_is_no_bug(job, args):
    (job.parent / "closed").mkdir(mode=0o555)
    (job.parent / "shut").mkdir(mode=0o000)
    (job.parent / "lake").mkdir(mode=0o555)

    done = weakly(job.parent, *args)

    assert done.returncode == 2, done.stderr
    assert "bug" not in done.stderr
    assert "ermission denied" in done.stderr or "not readable" in done.stderr or "cannot be read" in done.stderr


@pytest.mark.embedded
def test_an_embedded_broker_without_a_folder_it_may_use_says_which(tmp_path):
    (tmp_path / "lake").mkdir(mode=0o555)

    done = weakly(
        tmp_path,
        "run",
        str(ROOT / "configs" / "raw.toml"),
        ARROWFLOW_LAKE=str(tmp_path / "lake"),
        ARROWFLOW_BROKERS="embedded",
    )

    assert done.returncode == 2
    assert f"the embedded broker cannot use {tmp_path}/lake" in done.stderr
