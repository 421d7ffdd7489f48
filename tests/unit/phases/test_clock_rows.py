"""Clocks and zones of the machine: wrong, jumping, elsewhere, too old. None of them may reach a result."""

from __future__ import annotations

import importlib.resources
import re
import shutil
import socket
import time
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import msgspec
import pytest
from tests.chaos.replay_job import write_archive, wrong
from tests.support.cli import arrowflow, ended, write_config
from tests.support.small import SECOND_US, pipeline, places, results, rows
from tests.unit.phases.test_recovery import RIGHT, STREAM, records

from arrowflow.engine import start
from arrowflow.errors import StateRefused
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import EventTime, RunOptions
from arrowflow.types import Writer

CAUGHT_UP = RunOptions(until_caught_up=True, take_over=True)
TO_THE_END = replace(CAUGHT_UP, close_open_windows=True)
HOUR_US = 3600 * SECOND_US


@dataclass
class StrangeClock:
    """A wall clock that does what `wall_us` says at each look; timers run as they should."""

    wall_us: object
    looks: int = 0

    def now_us(self):
        self.looks += 1
        return self.wall_us(self.looks)

    def monotonic(self):
        return time.monotonic()

    def sleep(self, seconds):
        time.sleep(min(seconds, 0.2))


NOW_US = 1_763_000_000 * SECOND_US
WALLS = {
    "steady": lambda n: NOW_US + n,
    "an hour on and an hour back": lambda n: NOW_US + (HOUR_US if n % 2 else -HOUR_US),
    "an hour back at each look": lambda n: NOW_US - n * HOUR_US,
    "stands still": lambda n: NOW_US,
    "1970": lambda n: n,
    "2100": lambda n: 4_102_444_800 * SECOND_US + n,
}


@pytest.mark.parametrize("wall", WALLS)
def test_row_86_no_step_of_the_wall_clock_changes_a_result_or_where_a_row_goes(tmp_path, wall):
    late = rows(("a", 2, 1.0), ("b", 1, 1.0))
    job = pipeline(tmp_path, [*STREAM, *late], max_epoch_rows=7, max_slice_rows=5)

    finished = start(job, TO_THE_END, clock=StrangeClock(WALLS[wall])).result()

    assert results(tmp_path) == RIGHT
    assert [offset for _, offset, _ in places(tmp_path, "late")] == [60, 61]
    assert finished.balance.read == finished.balance.accounted == 62
    assert finished.epochs > 3


def test_row_86_timers_are_monotonic_so_a_clock_that_falls_back_delays_no_epoch(tmp_path):
    job = pipeline(tmp_path, STREAM, cadence_s=0.2)
    run = start(job, RunOptions(take_over=True), clock=StrangeClock(WALLS["an hour back at each look"]))

    deadline = time.monotonic() + 60
    while sum(record["kind"] == "data" for record in records(tmp_path)) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run.stop()
    assert run.result().balance.read == len(STREAM)


def last_writer_elsewhere(folder, wall_us):
    """Let the newest record be a live writer's on another host, whose wall clock says `wall_us`."""
    start(pipeline(folder, STREAM[:20]), CAUGHT_UP).result()
    log, _ = pipeline(folder, STREAM).checkpoint.log.build(Failpoints())
    head = log.read(log.epochs_after(-1)[-1])
    theirs = Writer(id="other", host="elsewhere", pid=1, fence=0)
    log.append(
        msgspec.structs.replace(
            head, kind="data", epoch=head.epoch + 1, prev=head.sha256, sha256="", writer=theirs, epoch_time_us=wall_us
        )
    )


def test_row_86_a_record_of_a_host_whose_clock_is_an_hour_ahead_is_waited_for_three_cadences_and_no_hour(tmp_path):
    last_writer_elsewhere(tmp_path, time.time_ns() // 1000 + HOUR_US)
    began = time.monotonic()

    start(pipeline(tmp_path, STREAM, cadence_s=0.4), replace(TO_THE_END, take_over=False)).result()

    assert 1.1 < time.monotonic() - began < 600  # three cadences are 1.2 s, and the hour would be 3600
    assert results(tmp_path) == RIGHT


def test_a_run_stopped_while_it_waits_for_another_writer_leaves_that_one_alone(tmp_path):
    """It must not take over on its way out: the writer at work would end as fenced."""
    last_writer_elsewhere(tmp_path, time.time_ns() // 1000)
    before = records(tmp_path)
    run = start(pipeline(tmp_path, STREAM, cadence_s=60.0), RunOptions(until_caught_up=True))
    assert not run.wait(0.7)

    run.stop()

    assert run.result().epochs == 0
    assert records(tmp_path) == before
    assert socket.gethostname() != "elsewhere"


def test_row_33_the_reference_of_a_future_clock_is_kept_in_the_record_so_a_replay_judges_alike(tmp_path):
    """Without broker times the engine's clock is the reference; state rebuilt at another hour must be the same."""
    stream = rows(("a", 1, 1.0), ("a", 1_763_000_300, 1.0), ("a", 1_763_000_900, 1.0), ("a", 2, 1.0))
    event = EventTime("t", 10**16, max_future_skew_us=600 * SECOND_US)
    start(pipeline(tmp_path, stream, event_time=event), CAUGHT_UP, clock=StrangeClock(WALLS["steady"])).result()
    assert places(tmp_path, "dead") == [(0, 2, "future_clock")]
    for path in (tmp_path / "small" / "_log" / "state").rglob("*.arrow"):
        path.write_bytes(b"damaged")

    start(pipeline(tmp_path, stream, event_time=event), TO_THE_END, clock=StrangeClock(WALLS["2100"])).result()

    assert results(tmp_path) == [("a", 0, 2, 2.0), ("a", 1_763_000_300, 1, 1.0)]
    assert places(tmp_path, "dead") == [(0, 2, "future_clock")]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "production.ndjson"
    return path, write_archive(path, rows=1500)


@pytest.mark.slow
@pytest.mark.parametrize(
    "zone", ["", "UTC", "Asia/Kolkata", "America/Tijuana", "Pacific/Kiritimati", "XYZ-14:30", "no/such/zone"]
)
def test_row_86_the_time_zone_of_the_machine_changes_nothing(tmp_path, archive, zone):
    """The whole command line under another TZ, against the answer computed apart from the engine."""
    path, sheet = archive
    config = write_config(tmp_path, path)

    code, _, err = ended(arrowflow("run", config, "--until-caught-up", "--close-open-windows", TZ=zone, LC_ALL="C"))

    assert code == 0, err
    assert wrong(sheet, tmp_path / "lake") == []


# ---- row 32 -----------------------------------------------------------------------------------------------


def stands_in(folder: Path, init: str) -> str:
    """A package named tzdata to put before the installed one; returns the folder for the path."""
    shutil.copytree(
        str(importlib.resources.files("tzdata")),
        folder / "tzdata",
        ignore=shutil.ignore_patterns("__init__.py", "__pycache__"),
    )
    (folder / "tzdata" / "__init__.py").write_text(init)
    return str(folder)


LOCAL = 'timestamp = "timestamp[iso, America/Tijuana, earlier]"'
OLD = '__version__ = "2021.1"\n'
MISSING = 'raise ImportError("there is no tzdata")\n'


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["validate", "explain", "run"])
@pytest.mark.parametrize(
    ("init", "told"), [(OLD, "tzdata 2021.1 is too old"), (MISSING, "is missing")], ids=["old", "missing"]
)
@pytest.mark.parametrize("user", ["calendar", "schema"])
def test_row_32_a_zone_database_that_is_missing_or_too_old_stops_every_verb_at_its_start(
    tmp_path, verb, init, told, user
):
    config = write_config(tmp_path, tmp_path / "none.ndjson")
    if user == "schema":
        tables = re.split(r"\n(?=\[)", config.read_text())
        kept = [one for one in tables if not one.startswith(("[window]", "[aggregate]", "[calendars", "[late]"))]
        cut = "\n".join(kept).replace('scope = "partition"', "").replace('["planta", "date"]', '["planta"]')
        cut = cut.replace('timestamp = "timestamp[ms]"', LOCAL)
        config.write_text(cut)

    code, out, err = ended(arrowflow(verb, config, path=stands_in(tmp_path / "path", init)))

    assert code == 2, (out, err)
    assert told in err
    assert "arrowflow needs 2025.2 or newer" in err
    assert "pip install 'tzdata>=2025.2'" in err
    assert not (tmp_path / "lake").exists()


def test_row_32_an_installed_database_older_than_the_records_is_refused_with_the_version_to_install(
    tmp_path, monkeypatch
):
    start(pipeline(tmp_path, STREAM[:20]), CAUGHT_UP).result()
    before = records(tmp_path)
    installed = metadata.version("tzdata")
    monkeypatch.setattr(metadata, "version", lambda name: "2025.2" if name == "tzdata" else "0.1.0")

    with pytest.raises(
        StateRefused, match=rf"tzdata {installed}, installed is 2025\.2.*pip install 'tzdata>={installed}'"
    ):
        start(pipeline(tmp_path, STREAM), TO_THE_END).result()
    assert records(tmp_path) == before

    monkeypatch.setattr(metadata, "version", lambda name: "2031.1" if name == "tzdata" else "0.1.0")
    start(pipeline(tmp_path, STREAM), TO_THE_END).result()
    assert results(tmp_path) == RIGHT
