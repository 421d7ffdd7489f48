"""`arrowflow chaos CONFIG`: real kills and simulated histories of a user's own pipeline, in a folder that is gone afterwards."""

import json

import pytest
from click.testing import CliRunner
from tests.chaos.replay_job import GOLD, write_archive
from tests.simulation.weaker import watermark_starts_over
from tests.support.cli import write_config

from arrowflow.cli import main


def chaos(*arguments):
    return CliRunner().invoke(main, ["chaos", *map(str, arguments)])


@pytest.mark.slow
def test_a_pipeline_is_killed_frozen_and_simulated_and_nothing_of_it_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("ARROWFLOW_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    result = chaos(GOLD, "--rows", 200, "--kills", 3, "--histories", 4, "--seed", 1, "--json")

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["wrong"] == []
    assert (told["records"], told["histories"]) == (200, 4)
    assert told["killed"] + told["frozen_and_fenced"] + told["ended_before"] == 3
    assert told["killed"] >= 1
    assert told["frozen_and_fenced"] == 1
    assert told["crashes"] + told["freezes"] + told["faults"] > 0
    assert list(tmp_path.iterdir()) == []


def test_an_archive_of_ones_own_is_read_in_the_place_of_the_sample(tmp_path):
    write_archive(tmp_path / "mine.ndjson", rows=60)
    config = write_config(tmp_path, tmp_path / "mine.ndjson")

    for arguments in ([config], [GOLD, "--archive", tmp_path / "mine.ndjson"]):
        result = chaos(*arguments, "--kills", 0, "--histories", 1)
        assert result.exit_code == 0, result.output
        assert ", 60 records, seed 1: 1 histories" in result.stdout
    assert not (tmp_path / "lake").exists()


def test_a_violation_ends_with_1_and_says_how_to_see_it_again(monkeypatch):
    watermark_starts_over(monkeypatch.setattr)

    result = chaos(GOLD, "--rows", 120, "--kills", 0, "--histories", 3)

    assert result.exit_code == 1
    assert " wrong" in result.stdout
    assert f"again: arrowflow chaos {GOLD} --rows 120 --seed " in result.stderr
    seed = result.stderr.split("--seed ")[1].split()[0]
    assert chaos(GOLD, "--rows", 120, "--kills", 0, "--histories", 1, "--seed", seed).exit_code == 1


def test_a_broker_is_never_asked(monkeypatch):
    monkeypatch.setenv("ARROWFLOW_BROKERS", "127.0.0.1:1")

    result = chaos(GOLD)

    assert result.exit_code == 2
    assert "chaos reads no broker: say --archive FILE" in result.stderr


def test_without_a_configuration_it_asks_for_one():
    result = chaos()

    assert result.exit_code == 2
    assert "name a configuration to attack, or say --list" in result.stderr


def test_the_list_marks_where_replies_are_lost_and_writes_are_torn():
    rows = {row["name"]: row for row in json.loads(chaos("--list", "--json").stdout)}

    assert (rows["commit.create"]["lost"], rows["commit.create"]["torn"]) == (True, True)
    assert (rows["publish.move"]["lost"], rows["publish.move"]["torn"]) == (True, False)
    assert (rows["fs.enospc"]["lost"], rows["fs.enospc"]["torn"]) == (False, True)
