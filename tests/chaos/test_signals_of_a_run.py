"""Row 76: signals to a whole job at work, a process of its own; afterwards the lake must equal the independent answer."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.chaos.replay_job import write_archive, wrong
from tests.support.cli import arrowflow, ended, wait_for, write_config

pytestmark = pytest.mark.slow
SMALL_EPOCHS = "[limits]\nmax_epoch_rows = 200\nmax_slice_rows = 100\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "production.ndjson"
    return path, write_archive(path, rows=3000)


def kinds(folder):
    files = sorted((folder / "lake" / "_arrowflow" / "gold_production" / "manifests").rglob("*.json"))
    return [json.loads(file.read_bytes())["kind"] for file in files]


def everything_is_read(trace):
    """Whether a run has asked its source six times: the archive comes with the first answers, the others are empty."""
    return trace.exists() and trace.read_text().split().count("source.polled") >= 6


def finish(config, folder, sheet):
    """Run to the end, then compare with the answer."""
    code, _, err = ended(arrowflow("run", config, "--until-caught-up", "--close-open-windows"))
    assert code == 0, err
    assert "waiting up to" not in err, "nobody waits for a writer that is gone"
    assert wrong(sheet, folder / "lake") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_row_76_the_first_signal_commits_what_was_read_and_exits_with_0(tmp_path, archive, number):
    path, sheet = archive
    config = write_config(tmp_path, path, cadence="1h")
    child = arrowflow("run", config, ARROWFLOW_FAILPOINT_TRACE=str(tmp_path / "trace"))
    wait_for(lambda: everything_is_read(tmp_path / "trace"), 180)  # now nothing but the signal ends this epoch

    child.send_signal(number)

    code, out, err = ended(child)
    assert code == 0, err
    assert f"{number.name}: committing what was read, then ending" in err
    assert "3,000 read = " in out
    assert kinds(tmp_path) == ["open", "data", "close"]
    finish(config, tmp_path, sheet)


def test_row_76_a_second_ctrl_c_during_the_drain_ends_with_130_and_loses_nothing(tmp_path, archive):
    """The drain is held up on purpose: the process freezes at its commit and gets the second Ctrl-C there."""
    path, sheet = archive
    config = write_config(tmp_path, path, cadence="1h")
    trace = tmp_path / "trace"
    armed = {"ARROWFLOW_FAILPOINTS": "commit.before:1:stop", "ARROWFLOW_FAILPOINT_TRACE": str(trace)}
    child = arrowflow("run", config, **armed)
    wait_for(lambda: everything_is_read(trace), 180)
    child.send_signal(signal.SIGINT)
    wait_for(lambda: state_of(child.pid) == "T")
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGCONT)

    code, out, err = ended(child)
    assert code == 130, err
    assert "ended by force; the next run goes on from the newest record" in err
    assert "read =" not in out
    assert kinds(tmp_path)[:1] == ["open"]
    finish(config, tmp_path, sheet)


@pytest.mark.parametrize("instant", [0, 2, 4])
def test_row_76_a_signal_at_any_instant_of_a_busy_run_loses_and_doubles_nothing(tmp_path, archive, instant):
    path, sheet = archive
    config = write_config(tmp_path, path, limits=SMALL_EPOCHS)
    number = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP][instant // 2]
    child = arrowflow("run", config, "--until-caught-up")
    wait_for(lambda: len(kinds(tmp_path)) > instant)

    child.send_signal(number)

    code, _, err = ended(child)
    assert code == 0, err
    assert kinds(tmp_path)[-1] == "close"
    finish(config, tmp_path, sheet)


def test_row_76_a_signal_before_the_run_is_up_ends_it_and_leaves_no_half_made_lake(tmp_path, archive):
    path, sheet = archive
    config = write_config(tmp_path, path)
    child = arrowflow("run", config)
    wait_for(
        lambda: "pyarrow" in Path(f"/proc/{child.pid}/maps").read_text()
    )  # its own code runs, and loads what it needs

    child.send_signal(signal.SIGINT)

    code, _, err = ended(child)
    assert code in (0, 130), err
    assert "bug" not in err
    assert "Traceback" not in err
    finish(config, tmp_path, sheet)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
