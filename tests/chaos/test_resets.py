"""Real processes that go back, and give up, die at every point of it; the lake has the answer all the same."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.chaos.replay_job import write_archive, wrong
from tests.support.cli import arrowflow, ended, write_config

from arrowflow.cli import main
from arrowflow.failpoints import REGISTRY
from arrowflow.testing.answers import wrong_dead_letters, wrong_late_rows, wrong_rows

IN_PLACE = ("reset.committed:1", "reset.mid_retract:2")
NEW_TABLES = ("reset.carried:2", "reset.committed:1")
DROP = ("drop.retired:1", "drop.mid_delete:3")
"""The steps between are crashed at in `tests/unit/phases/test_reset.py`, without a process of their own."""


def invoke(*args):
    """Run a verb in this process; return its output."""
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def gold(tmp_path_factory):
    """gold.toml over an archive, run to its end in many epochs; and its answer."""
    folder = tmp_path_factory.mktemp("gold")
    sheet = write_archive(folder / "production.ndjson", rows=2500)
    config = write_config(
        folder, folder / "production.ndjson", limits="[limits]\nmax_epoch_rows = 300\nmax_slice_rows = 100"
    )
    run_to_the_end(config)
    assert wrong(sheet, folder / "lake") == []
    return folder, config, sheet


def run_to_the_end(config):
    return json.loads(invoke("run", config, "--until-caught-up", "--close-open-windows", "--take-over", "--json"))


def killed(config, plan, *args):
    code, out, err = ended(arrowflow(args[0], config, *args[1:], "--take-over", ARROWFLOW_FAILPOINTS=f"{plan}:kill"))
    assert code == -9, f"{plan} was never passed: {out}{err}"


def test_every_point_of_going_back_and_giving_up_is_killed_here():
    here = {plan.split(":")[0] for plan in (*IN_PLACE, *NEW_TABLES, *DROP)}

    assert {name for name in REGISTRY if name.startswith(("reset.", "drop."))} <= here


def test_killed_at_every_point_of_a_reset_the_answer_is_whole_and_a_killed_drop_ends_what_it_began(gold):
    folder, config, sheet = gold
    log = [json.loads(line) for line in invoke("log", config, "--json").splitlines()]
    early = next(record["epoch"] for record in log if record["kind"] == "data") + 1
    for plan in IN_PLACE:
        killed(config, plan, "reset", "--to-epoch", str(early), "--in-place")
    run_to_the_end(config)
    assert wrong(sheet, folder / "lake") == []

    for plan in NEW_TABLES:
        killed(config, plan, "reset", "--to-epoch", str(early))
    tables = {name: output["path"] for name, output in run_to_the_end(config)["outputs"].items()}
    assert "__g" in tables["parquet"]
    assert wrong_in(sheet, tables) == []
    assert wrong(sheet, folder / "lake") == [], "the old tables are as they were"

    for plan in DROP:
        killed(config, plan, "drop", "--tables", "--yes")
    refused = CliRunner().invoke(main, ["run", str(config), "--until-caught-up", "--take-over"])
    assert (refused.exit_code, "was retired at epoch" in refused.stderr) == (6, True), refused.output
    retired_by = json.loads(invoke("drop", config, "--tables", "--yes", "--json"))["retired_by"]
    left = sorted(path.relative_to(folder / "lake") for path in (folder / "lake").rglob("*") if path.is_file())
    assert [path.name for path in left] == ["job.json", f"{retired_by:020d}.json"]


def wrong_in(sheet, tables):
    return [
        *wrong_rows(sheet, Path(tables["parquet"])),
        *wrong_late_rows(sheet, Path(tables["late"])),
        *wrong_dead_letters(sheet, Path(tables["dead_letter"])),
    ]
