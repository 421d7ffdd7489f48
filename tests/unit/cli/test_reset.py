"""`arrowflow reset` and `arrowflow drop` as they are typed: what they say, and what they refuse before touching anything."""

import json

import pytest
from click.testing import CliRunner
from tests.support.small import pipeline, results
from tests.unit.phases.test_recovery import RIGHT, STREAM, TO_THE_END, grow, records

from arrowflow.cli import main
from arrowflow.cli.session import Session


@pytest.fixture
def ran(tmp_path):
    """A job that ran in three steps, its folder, and the command line over it."""
    for upto in (15, 25, len(STREAM)):
        grow(tmp_path, upto)
    grow(tmp_path, len(STREAM), TO_THE_END)

    def command(*args):
        session = Session(load=lambda _: pipeline(tmp_path, STREAM))
        return CliRunner().invoke(main, [args[0], "small.toml", *args[1:]], obj=session)

    return tmp_path, command


def closes(folder):
    return [record["epoch"] for record in records(folder) if record["kind"] == "close"]


def test_a_dry_run_tells_the_plan_and_writes_nothing(ran):
    folder, command = ran
    to, before = closes(folder)[1], set(folder.rglob("*"))

    text = command("reset", "--to-epoch", str(to), "--in-place", "--dry-run")
    plain = json.loads(command("reset", "--to-epoch", str(to), "--in-place", "--dry-run", "--json").stdout)

    assert text.exit_code == 0, text.output
    assert f"back to record {to} of 20" in text.stdout
    assert "events[0] would be read again from 25" in text.stdout
    assert (plain["to"], plain["head"], plain["files_reverted"]) == (to, closes(folder)[-1], [])
    assert plain["files_retracted"]
    assert set(folder.rglob("*")) == before


def test_going_back_in_place_says_what_it_did_and_log_tells_of_it(ran):
    folder, command = ran
    to = closes(folder)[0]

    done = command("reset", "--to-epoch", str(to), "--in-place", "--take-over", "--json")
    listed = command("log")

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["how"], told["to"], told["generation"]) == ("in_place", to, 0)
    assert told["files_retracted"] > 0
    assert f": back to record {to}; {told['files_retracted']} files taken back" in listed.stdout
    grow(folder, len(STREAM), TO_THE_END)
    assert results(folder) == RIGHT


def test_a_new_generation_names_its_tables(ran):
    folder, command = ran

    done = command("reset", "--to-start", "--take-over")
    listed = command("log")

    made = records(folder)[-2]
    assert done.exit_code == 0, done.output
    assert f"record {made['epoch']}: back to the beginning" in done.stdout
    assert f"{folder / 'small' / 'out'}__g{made['generation']}" in done.stdout
    assert f": back to the beginning, in tables __g{made['generation']}" in listed.stdout


def test_reading_on_elsewhere_tells_the_offsets(ran, tmp_path):
    _, command = ran
    file = tmp_path / "offsets.json"
    file.write_text('{"events": {"0": 10}}')

    done = command("reset", "--from", str(file), "--take-over")

    assert done.exit_code == 0, done.output
    assert "state and results stay; the next run reads on at\n  events[0] offset 10\n" in done.stdout
    assert ": reads on at other offsets" in command("log").stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "say exactly one of --to-epoch"),
        (("--to-start", "--to-epoch", "1"), "say exactly one of --to-epoch"),
        (("--to-start", "--topic", "events"), "--topic goes with --from"),
        (("--from", "latest", "--in-place"), "takes neither --in-place nor --dry-run"),
        (("--to-time", "yesterday"), "'yesterday' is no time with its offset"),
        (("--to-time", "2026-01-31T06:00:00"), "is no time with its offset"),
        (("--to-offsets", "/nowhere.json"), "No such file"),
        (("--to-epoch", "999", "--in-place"), "there is no record 999"),
        (("--to-time", "1970-01-01T00:00:00Z"), "no record began so early"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(ran, args, said):
    folder, command = ran
    head = records(folder)[-1]

    refused = command("reset", *args, "--take-over")

    assert refused.exit_code == 2
    assert said in refused.stderr
    assert records(folder)[-1] == head


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[]", '{"events": 7}', '{"events": {"0": -1}}', '{"events": {"0": true}}', '{"events": {"x": 1}}'],
)
def test_a_file_of_offsets_that_is_none_is_refused_with_its_form(ran, tmp_path, text):
    _, command = ran
    file = tmp_path / "offsets.json"
    file.write_text(text)

    refused = command("reset", "--to-offsets", str(file))

    assert refused.exit_code == 2
    assert 'offsets are written {"topic": {"0": 120, "1": 98}}' in refused.stderr


def test_drop_asks_for_yes_then_retires_and_deletes_and_may_be_said_again(ran):
    folder, command = ran

    asked = command("drop", "--tables")
    kept = results(folder)
    done = command("drop", "--yes", "--take-over", "--json")
    again = command("drop", "--yes", "--take-over", "--json")

    assert asked.exit_code == 2
    assert "say --yes to retire 'small' and delete its records and state, and every file of its tables" in asked.stderr
    assert kept == results(folder) == RIGHT, "tables stay unless asked for"
    assert done.exit_code == again.exit_code == 0
    (last,) = records(folder)
    assert (last["kind"], last["epoch"]) == ("retire", json.loads(done.stdout)["retired_by"])
    assert json.loads(again.stdout) == {"retired_by": last["epoch"], "files": 0, "objects": 0}
    assert sorted(path.name for path in (folder / "small" / "_log").rglob("*") if path.is_file()) == [
        f"{last['epoch']:020d}.json", "job.json",
    ]  # fmt: skip


def test_drop_finds_the_tables_of_every_generation(ran):
    folder, command = ran
    command("reset", "--to-start", "--take-over")
    grow(folder, len(STREAM), TO_THE_END)
    assert list((folder / "small").glob("out__g*/*.parquet"))

    done = command("drop", "--tables", "--forget", "--yes", "--take-over")

    assert done.exit_code == 0, done.output
    assert [path for path in folder.rglob("*") if path.is_file()] == []
