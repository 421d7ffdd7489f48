"""The table of the model: what it holds, what a wrong table would say, and one setting and one mutant as a sample of `make model`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from formal.check import (
    LARGE,
    SMOKE_SETTINGS,
    Line,
    Verdict,
    check,
    counterexample,
    event_names,
    left_out,
    lines,
    missing_tools,
)
from tests.support.followed import follower_in

from arrowflow.tracing import EVENTS

ROOT = Path(__file__).parents[2]
TABLE = list(lines())


@pytest.fixture(scope="module")
def spin(tmp_path_factory):
    if follower_in(tmp_path_factory.mktemp("spin")) is None:
        pytest.skip(f"{' and '.join(missing_tools())} not found (Debian: apt-get install spin gcc)")


def named(name: str) -> Line:
    return next(line for line in TABLE if line.name == name)


def test_every_event_of_the_engine_is_known_to_the_model_and_the_other_way_round():
    model = set(event_names().values())

    assert not model & left_out()
    assert model | left_out() == EVENTS


def test_every_switch_of_the_model_is_a_mutant_or_a_feature_of_the_table():
    source = "".join(file.read_text() for file in (ROOT / "formal").glob("*.pml"))
    used = set(re.findall(r"#\s*ifn?def (\w+)", source)) | set(re.findall(r"defined\((\w+)\)", source))
    in_table = {flag.partition("=")[0] for line in TABLE for flag in line.flags}
    beside = {"TRACE", "E", "A", "R", "CRASHES", "LOST", "ROUNDS", "SHARED_NAMES", "ROWS_ONLY"}

    assert used - in_table == beside - in_table
    assert in_table - used == set()


def test_every_mutant_differs_from_a_setting_by_what_is_off():
    assert len([line for line in TABLE if line.mutant]) >= 25
    assert len({line.name for line in TABLE}) == len(TABLE)
    assert {line.name for line in TABLE} >= SMOKE_SETTINGS | LARGE


def test_a_line_that_is_not_as_it_should_be_is_noticed():
    setting, mutant = named("files"), named("no redo")
    good = {"states": 1, "depth": 1, "seconds": 0.0}

    assert Verdict(setting, **good, violated="", whole=True).as_it_should_be
    assert not Verdict(setting, **good, violated="", whole=False).as_it_should_be
    assert not Verdict(setting, **good, violated="known[a]", whole=False).as_it_should_be
    assert Verdict(mutant, **good, violated="known[a]", whole=False).as_it_should_be
    assert not Verdict(mutant, **good, violated="", whole=True).as_it_should_be
    assert not Verdict(mutant, **good, violated="((h+1)<12)", whole=False).as_it_should_be, (
        "running out of records refutes nothing"
    )


def test_a_small_setting_holds_in_all_states(spin):
    verdict = check(Line("small", ("CRASHES=0", "LOST=0", "ROUNDS=0", "R=1"), "one row"))

    assert verdict.as_it_should_be
    assert verdict.states > 1000


def test_a_counterexample_is_told_call_by_call(spin):
    told = counterexample(named("files written in place"))

    assert told[-1] == "violated: known[a]"
    assert any("file.stage" in line for line in told)
    assert not any("data.create" in line for line in told), "a file was seen before there was a record"


def test_without_spin_the_command_says_so_in_one_line():
    done = subprocess.run(
        [sys.executable, str(ROOT / "formal" / "check.py")],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3
    assert done.stdout == "the model was not checked: spin and gcc not found (Debian: apt-get install spin gcc)\n"
