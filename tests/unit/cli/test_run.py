"""`run`: options, observers, endings and exit codes, against an engine that does nothing."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import signal

import pytest
from click.testing import CliRunner
from tests.unit.cli.fakes import FakeEngine, FakeRun

from arrowflow import errors
from arrowflow.cli import main
from arrowflow.cli.lines import Lines
from arrowflow.cli.live import LiveView
from arrowflow.config.secrets import SecretText
from arrowflow.events import Committed, Finished, Notice, Progress, Started
from arrowflow.failpoints import Trap
from arrowflow.pipeline import RunOptions
from arrowflow.types import MIN_US, Balance, Fingerprint, Input, Manifest, Outbox, SourcePartition, StagedFile, Writer

PART = SourcePartition("kafka", "events", 0)


def _manifest(**changes):
    fields = {
        "kind": "data",
        "job": "job",
        "incarnation": "i",
        "epoch": 7,
        "prev": "",
        "writer": Writer(id="w", host="h", pid=1, fence=0),
        "fingerprint": Fingerprint(semantic="", query={}, engine="", tzdata=""),
        "epoch_time_us": 1_761_890_400_000_000,
        "inputs": [
            Input(source="kafka", topic="events", partition=0, start=0, stop=5, balance=Balance(read=5, folded=5))
        ],
        "watermark_us": 1_761_888_590_000_000,
        "outputs": [StagedFile(sink="parquet", src="s", dst="d", rows=2, bytes=1, crc32c="", sha256="")],
    }
    return Manifest(**{**fields, **changes})


def _invoke(engine, *args, **options):
    return CliRunner().invoke(main, ["run", "job.toml", *args], obj=engine.session(), **options)


def test_a_run_ends_with_its_balance_and_where_the_files_are():
    result = _invoke(FakeEngine())

    assert result.exit_code == 0
    assert (
        "1,000 read = 900 folded + 30 filtered (filter 30) + 20 duplicate + 40 late (behind_clock 40) "
        "+ 10 dead_lettered (bad_json 10)" in result.stdout
    )
    assert "72 result rows, 9 files" in result.stdout
    assert re.search(r"parquet +/lake/table", result.stdout)
    assert re.search(r"late +/lake/_late", result.stdout)


def test_json_is_the_only_thing_on_stdout():
    engine = FakeEngine(events=(Notice("info", "hello"), Committed(_manifest())))

    result = _invoke(engine, "--json")

    told = json.loads(result.stdout)
    assert told["balance"]["adds_up"] is True
    assert told["balance"]["late"] == {"behind_clock": 40}
    assert told["outputs"]["parquet"] == {"stream": "rows", "path": "/lake/table"}
    assert (told["epochs"], told["head"], told["rows_out"], told["files"]) == (3, 4, 72, 9)
    assert "hello" in result.stderr


def test_a_balance_that_does_not_add_up_is_shouted():
    wrong = Finished(epochs=1, balance=Balance(read=10, folded=9), rows_out=0, files=0, head=1)

    result = _invoke(FakeEngine(run=FakeRun(wrong)))

    assert "DOES NOT ADD UP: 9 accounted for" in result.stdout


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((), RunOptions()),
        (("--until-caught-up",), RunOptions(until_caught_up=True)),
        (("--until-caught-up", "--close-open-windows"), RunOptions(until_caught_up=True, close_open_windows=True)),
        (("--once", "--dry-run", "--take-over"), RunOptions(once=True, dry_run=True, take_over=True)),
        (("--assume-delivered",), RunOptions(undecided="assume_delivered")),
        (("--redeliver",), RunOptions(undecided="redeliver")),
    ],
)
def test_options_reach_the_engine(args, expected):
    engine = FakeEngine()

    assert _invoke(engine, *args).exit_code == 0
    assert engine.started[0][1] == expected


def test_windows_are_closed_early_only_at_an_end():
    result = _invoke(FakeEngine(), "--close-open-windows")

    assert result.exit_code == 2
    assert "needs --until-caught-up" in result.stderr


def test_the_two_answers_about_a_lost_marker_exclude_each_other():
    result = _invoke(FakeEngine(), "--assume-delivered", "--redeliver")

    assert result.exit_code == 2
    assert "choose one" in result.stderr


def test_rows_that_were_delivered_are_told_beside_those_in_files():
    outbox = [Outbox(sink="alerts", path="p", rows=3, bytes=1, sha256="")]

    result = _invoke(FakeEngine(events=(Committed(_manifest(outbox=outbox)),)))

    assert "2 rows written to 1 file; 3 rows delivered to alerts" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError, 2),
        (errors.RetryableError, 3),
        (errors.Unreachable, 3),
        (errors.CommitUnknown, 3),
        (errors.TooManyBadRecords, 4),
        (errors.PromiseBroken, 4),
        (errors.StateTooLarge, 4),
        (errors.DataLossError, 6),
        (errors.ObjectMissing, 6),
        (errors.Fenced, 7),
        (errors.OutletTaken, 7),
        (errors.StateRefused, 8),
        (errors.StateCorrupt, 8),
        (errors.BalanceError, 1),
        (ValueError, 1),
        (KeyboardInterrupt, 130),
    ],
)
def test_what_ends_a_run_decides_the_exit_code(error, code):
    result = _invoke(FakeEngine(run=FakeRun(error("events[0]: offset 7\n\x1b[2Jnext line"))))

    assert result.exit_code == code
    assert "Traceback" not in result.output
    assert "\x1b" not in result.output
    assert not result.stdout
    if code not in (1, 130):
        assert result.stderr.splitlines() == ["arrowflow: events[0]: offset 7", "  \\x1b[2Jnext line"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EMFILE])
def test_row_84_a_disk_that_is_full_or_broken_is_no_bug(number):
    result = _invoke(FakeEngine(run=FakeRun(OSError(number, os.strerror(number), "/lake/x"))))

    assert result.exit_code == 3
    assert result.stderr == f"arrowflow: the system refused: {os.strerror(number)}: /lake/x\n"


@pytest.mark.parametrize("how", ["--traceback", "ARROWFLOW_TRACEBACK"])
def test_a_bug_is_one_line_unless_asked_for_more(monkeypatch, how):
    engine = FakeEngine(run=FakeRun(ZeroDivisionError("by zero")))
    short = _invoke(engine)
    args = ["--traceback"] if how.startswith("-") else []
    if not args:
        monkeypatch.setenv(how, "1")
    long = CliRunner().invoke(main, [*args, "run", "job.toml"], obj=engine.session())

    assert short.exit_code == long.exit_code == 1
    assert "bug: ZeroDivisionError: by zero" in short.stderr
    assert "Traceback" not in short.stderr
    assert "Traceback" in long.stderr


@pytest.mark.parametrize("args", [[], ["--traceback"]])
def test_row_57_a_secret_that_turns_up_anywhere_is_masked(args, caplog):
    secret = SecretText("canary-7f3d9e")
    events = (Notice("warning", "login with canary-7f3d9e failed"),)
    engine = FakeEngine(FakeRun(errors.Unreachable("sasl: canary-7f3d9e refused")), events, {"sasl.password": secret})

    with caplog.at_level(logging.DEBUG):
        result = CliRunner().invoke(main, [*args, "run", "job.toml"], obj=engine.session())

    assert "canary" not in result.output
    assert "canary" not in caplog.text
    assert result.stderr.count("***") >= 2


def test_failpoints_come_from_the_environment(monkeypatch, tmp_path):
    trace = tmp_path / "trace"
    monkeypatch.setenv("ARROWFLOW_FAILPOINTS", "commit.created:3:kill, publish.move:1:lost")
    monkeypatch.setenv("ARROWFLOW_FAILPOINT_TRACE", str(trace))
    engine = FakeEngine()

    _invoke(engine)

    failpoints = engine.started[0][3]
    assert failpoints.traps == (Trap("commit.created", 3, "kill"), Trap("publish.move", 1, "lost"))
    failpoints.hit("stage.file")
    assert trace.read_text() == "stage.file\n"


@pytest.mark.parametrize("plan", ["no.such:1:kill", "commit.created:x:kill", "commit.before:1:lost"])
def test_failpoints_that_do_not_exist_are_refused(monkeypatch, plan):
    monkeypatch.setenv("ARROWFLOW_FAILPOINTS", plan)

    assert _invoke(FakeEngine()).exit_code == 2


def test_signal_handlers_are_what_they_were_after_a_run():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    _invoke(FakeEngine())

    assert {number: signal.getsignal(number) for number in before} == before


def test_plain_lines_have_a_time_a_level_and_no_escape():
    events = (
        Started(_manifest(kind="open"), 2),
        Notice("warning", "key \x1b[31mred\nfake line"),
        Committed(_manifest()),
        object(),
    )

    result = _invoke(FakeEngine(events=events), env={"FORCE_COLOR": "1"})

    lines = result.stderr.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning) ", line) for line in lines)
    assert "2 epochs published again" in lines[0]
    assert r"key \x1b[31mred\x0afake line" in lines[1]
    assert "epoch 7 committed: 5 read = 5 folded" in lines[2]
    assert "watermark 2025-10-31T05:29:50Z" in lines[2]
    assert len(lines) == 3


def test_progress_lines_are_rare(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("arrowflow.cli.lines.time.monotonic", lambda: now[0])
    lines = Lines(str)
    event = Progress(7, 1000, {PART: 10}, {PART: 25}, {PART: None}, 3)

    for _ in range(100):
        now[0] += 1.0
        lines.notice(event)

    told = capsys.readouterr().err.splitlines()
    assert len(told) == 10
    assert "epoch 7: 1,000 rows read, 15 records to go, 3 windows open" in told[0]


def _screen(view, width=120):
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view.render())
    return console.file.getvalue()


def _live(clean=str):
    from rich.console import Console

    return LiveView("job", clean, Console(file=io.StringIO(), width=120, color_system=None))


def test_the_live_view_shows_rates_lag_clocks_windows_and_the_last_commit(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("arrowflow.cli.live.time.monotonic", lambda: now[0])
    view = _live()

    assert "starting" in _screen(view)
    view.notice(Progress(7, 1000, {PART: 10}, {PART: 25}, {PART: 1_761_888_590_000_000}, 3))
    now[0] += 2
    view.notice(Progress(7, 3000, {PART: 20}, {PART: 25}, {PART: 1_761_888_590_000_000}, 3))
    view.notice(Committed(_manifest()))
    now[0] += 1

    screen = _screen(view)
    assert "1,000 rows/s" in screen
    assert "lag 5" in screen
    assert "3 windows open" in screen
    assert re.search(r"events\[0\] +20 +5 +2025-10-31T05:29:50Z", screen)
    assert "epoch 7 committed 1 s ago" in screen


def test_the_live_view_counts_rows_of_an_epoch_whose_commit_is_told_while_the_next_is_read(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("arrowflow.cli.live.time.monotonic", lambda: now[0])
    view = _live()
    for epoch, rows in ((7, 1000), (8, 500), (8, 1000)):
        view.notice(Progress(epoch, rows, {PART: 10}, {PART: 25}, {PART: None}, 3))
        now[0] += 1
    view.notice(Committed(_manifest()))
    view.notice(Progress(8, 2000, {PART: 10}, {PART: 25}, {PART: None}, 3))

    assert view.rate() == 2000 / 3


def test_the_live_view_shows_no_markup_and_no_control_characters_of_others():
    from arrowflow.cli.session import Session

    view = _live(Session().clean)
    part = SourcePartition("kafka", "[bold]x\x1b[2J", 0)
    view.notice(Progress(1, 1, {part: 1}, {part: 1}, {part: MIN_US}, 0))

    screen = _screen(view)
    assert r"[bold]x\x1b[2J[0]" in screen
    assert "\x1b" not in screen


def test_the_live_view_lists_no_more_partitions_than_fit():
    view = _live()
    parts = {SourcePartition("kafka", "t", index): 1 for index in range(500)}
    view.notice(Progress(1, 1, parts, parts, {}, 0))

    assert "and 480 more" in _screen(view)


def test_the_live_view_starts_and_stops_and_honours_no_color(monkeypatch):
    from rich.console import Console

    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    view = LiveView("job", str, Console(file=out, force_terminal=True, width=100))

    with view:
        view.say("warning", "careful")
        view.notice(Notice("info", "hello"))

    assert "careful" in out.getvalue()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", out.getvalue()), "no colours"


def test_there_is_no_live_view_where_stdout_is_no_terminal():
    engine = FakeEngine()

    _invoke(engine)

    assert isinstance(engine.started[0][2].view, Lines)
