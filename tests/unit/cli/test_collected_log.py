"""`arrowflow log` on a log whose old records were collected, also while they are."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner
from tests.support.dealt import DealtSpec
from tests.support.small import pipeline, rows

from arrowflow.cli import main
from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.commitlog.log import RedoLog
from arrowflow.engine import start
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import RunOptions

STREAM = rows(*(("a", second, 1.0) for second in range(60)))


@pytest.fixture
def folder(tmp_path):
    job = pipeline(
        tmp_path,
        DealtSpec(tuple(STREAM), largest_slice=2),
        max_epoch_rows=1,
        full_every=3,
        keep_records=4,
        keep_for_s=0.0,
    )
    start(job, RunOptions(until_caught_up=True, take_over=True)).result()
    return tmp_path / "small" / "_log"


def log(*args):
    return CliRunner().invoke(main, ["log", *map(str, args)])


def retained(folder):
    log = LocalLogSpec(str(folder)).build(Failpoints())[0]
    return list(range(log.read(log.newest()).horizon, log.newest() + 1))


def test_only_retained_records_are_listed_and_the_collected_ones_are_spoken_of(folder):
    kept = retained(folder)
    assert kept[0] > 10

    result = log(folder)

    assert result.exit_code == 0, result.output
    assert [int(line.split()[0]) for line in result.stdout.splitlines()[1:]] == kept
    assert result.stderr == f"records before {kept[0]} were collected\n"
    assert [json.loads(line)["epoch"] for line in log(folder, "--json").stdout.splitlines()] == kept


def test_a_collected_record_is_refused_with_what_there_is(folder):
    kept = retained(folder)

    result = log(folder, "--epoch", 3)

    assert result.exit_code == 2
    assert f"there is no record 3; the records are {kept[0]} to {kept[-1]}; older ones were collected" in result.stderr


def test_a_record_that_a_sleeper_created_again_under_a_collected_number_is_not_shown(folder):
    kept = retained(folder)
    twin = folder / "manifests" / f"{0:017d}" / f"{0:020d}.json"
    twin.write_bytes(b"of a sleeper")

    result = log(folder)

    assert [int(line.split()[0]) for line in result.stdout.splitlines()[1:]] == kept


@pytest.mark.parametrize("announced", [True, False])
def test_a_record_that_goes_between_listing_and_reading_is_left_out_if_it_was_collected(announced, folder, monkeypatch):
    kept, read, gone = retained(folder), RedoLog.read, []

    def lose_first(self, epoch):
        if epoch == kept[0] and not gone:
            gone.append(epoch)
            self.remove(epoch)
            if announced:
                newest = read(self, kept[-1])
                horizon = {"epoch": kept[-1] + 1, "prev": newest.sha256, "horizon": kept[1]}
                self.append(msgspec.structs.replace(newest, **horizon))
        return read(self, epoch)

    monkeypatch.setattr(RedoLog, "read", lose_first)

    result = log(folder)

    listed = [int(line.split()[0]) for line in result.stdout.splitlines()[1:]]
    assert (result.exit_code, listed) == ((0, kept[1:]) if announced else (6, []))
