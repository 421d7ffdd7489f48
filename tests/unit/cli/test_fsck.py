"""`arrowflow fsck`: one line per violation, exit code 6 where something is wrong, and the same as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.kept import finish_small_job, run_small_job_but_its_end

from arrowflow.cli import main
from arrowflow.cli.fsck import StoreFiles
from arrowflow.testing.stores import MemoryStore


@pytest.fixture
def job(tmp_path):
    run_small_job_but_its_end(tmp_path)
    finish_small_job(tmp_path)
    return tmp_path / "small"


def fsck(*args):
    return CliRunner().invoke(main, ["fsck", *map(str, args)])


def test_a_job_in_order_is_said_to_be_and_exits_with_0(job):
    result = fsck(job / "_log", "--deep")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("small: records 0 to ")
    assert "rows read: in order\n" in result.stdout


def test_each_violation_is_a_line_with_invariant_and_place_and_the_exit_code_is_6(job):
    foreign = job / "out" / "part-0.parquet"
    foreign.write_bytes(b"")
    gone = min((job / "out").glob("*-0000-*.parquet"))
    gone.unlink()

    result = fsck(job / "_log")

    lines = result.stdout.splitlines()
    assert result.exit_code == 6
    assert f"I17 {foreign}: is no file of this job, and readers of the table take it in" in lines
    assert any(line.startswith(f"I3 {gone}: is missing; record ") for line in lines)
    assert lines[-1].endswith(": 2 violations")


def test_the_report_comes_as_json_too(job):
    (job / "_log" / "notes.txt").write_bytes(b"")

    result = fsck(job / "_log", "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 6
    assert told["clean"] is False
    assert told["violations"] == [
        {"invariant": "I13", "place": "notes.txt", "text": "is none of the files that a job keeps"}
    ]
    assert told["records"]["read"] == told["records"]["head"] + 1


def test_a_configuration_names_the_folder_and_tables_no_record_tells_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(main, ["init", "p.toml"])

    result = fsck("p.toml")

    assert result.exit_code == 0, result.output
    assert result.stdout == "no records yet: the pipeline has not run\n"


def test_a_folder_without_records_is_refused(tmp_path):
    result = fsck(tmp_path)

    assert result.exit_code == 2
    assert "is no checkpoint folder" in result.stderr


def test_what_is_left_over_or_in_flight_is_said_and_no_violation(job):
    for epoch in (1, 99):
        folder = Path(job / "_log" / "staging" / f"{epoch:020d}" / "dead" / "out")
        folder.mkdir(parents=True)
        (folder / "0000.parquet").write_bytes(b"")

    result = fsck(job / "_log")

    assert result.exit_code == 0
    assert "in flight: 1 files" in result.stdout
    assert "left over: 1 files" in result.stdout


def test_any_store_can_be_audited():
    store = MemoryStore()
    store.create("/a/b/c", b"x")
    files = StoreFiles(store)

    assert files.list("/a") == {"/a/b/c": None}
    assert files.read("/a/b/c") == b"x"
    with pytest.raises(FileNotFoundError):
        files.read("/a/b/d")
