"""`arrowflow bench`: a table, a file, a plot, a comparison; and what it says of what cannot be measured."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from arrowflow.bench.results import read
from arrowflow.cli import main

SMALL = ("--only", "commit", "--rows", "1000", "--runs", "1")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bench(*args):
    return CliRunner().invoke(main, ["bench", *args])


def test_a_benchmark_prints_machine_versions_and_table_and_keeps_result_and_plot(here):
    ended = bench(*SMALL, "--out", "r.json", "--plot", "r.svg")

    assert ended.exit_code == 0, ended.output
    assert "cores" in ended.stdout
    assert "librdkafka" in ended.stdout
    assert "10 records and files read back" in ended.stdout
    assert [line.label for line in read(here / "r.json").lines] == ["commit: local disk"]
    assert Path("r.svg").read_text().startswith("<svg")


def test_the_raw_result_can_be_printed(here):
    ended = bench(*SMALL, "--json")

    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["lines"][0]["records"] == 10


def kept(share):
    """A result that says it was measured in `share` of the time it took."""
    assert bench(*SMALL, "--out", "r.json").exit_code == 0
    told = json.loads(Path("r.json").read_text())
    line = told["lines"][0]
    line["wall_s"] = [seconds * share for seconds in line["wall_s"]]
    told["machine"]["cpu"] = "another"
    Path("r.json").write_text(json.dumps(told))


@pytest.mark.parametrize(("share", "floor", "code"), [(1e-6, None, 0), (1e-6, "0.5", 1), (1e6, "0.5", 0)])
def test_a_comparison_ends_with_1_only_if_asked_and_below_the_floor(here, share, floor, code):
    kept(share)

    ended = bench(*SMALL, "--compare", "r.json", *(["--fail-below", floor] if floor else []))

    assert ended.exit_code == code, ended.output
    assert "beside r.json of" in ended.stdout
    assert "differs: processor:" in ended.stdout
    assert ("below 0.5" in ended.stderr) == (code == 1)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ["--only", "window"],
            'there is no benchmark "window" – did you mean "windows"?; choose from decode, windows, commit, job',
        ),
        (["--only", "zzz"], "choose from decode, windows, commit, job"),
        (["--compare", "none.json", *SMALL], "none.json cannot be read"),
        (["--fail-below", "0.9", *SMALL], "name it with --compare FILE"),
        (["--compare", "x", "--fail-below", "0", *SMALL], "give a number above 0, such as 0.9"),
        (["--out", "no/r.json", *SMALL], "there is no folder 'no'; make it first"),
        (["--plot", "no/r.svg", *SMALL], "there is no folder 'no'; make it first"),
        ([*SMALL, "--rows", "0"], "both want a number from 1 up"),
        ([*SMALL, "--runs", "0"], "both want a number from 1 up"),
        (["gold.toml", "--rows", "1000"], "gold.toml"),
        (
            ["other.toml", "--only", "job"],
            '"other.toml": there is no answer to check it by; choose a file named after one of gold,',
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line_with_what_to_write_instead(here, args, said):
    ended = bench(*args)

    assert ended.exit_code == 2, ended.output
    assert said.replace("one of gold,", "one of") in ended.stderr
    assert ended.stdout == ""
    assert "answers checked" not in ended.stderr  # nothing was measured first
