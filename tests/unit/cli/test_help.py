"""Help is quick, because it loads nothing but the table of verbs."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from arrowflow.cli import main
from arrowflow.cli.verbs import VERBS

SRC = Path(__file__).parents[3] / "src"
HEAVY = {
    "numpy", "numba", "llvmlite", "pyarrow", "polars", "pydantic", "msgspec", "rich", "confluent_kafka",
    "tree_sitter", "gcsfs", "fsspec", "aiohttp", "noida_db", "tzdata", "zoneinfo", "duckdb",
}  # fmt: skip


def _python(code, *args):
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.run(
        [sys.executable, "-c", code, *args], env=env, capture_output=True, text=True, timeout=60, check=True
    ).stdout


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_loads_no_heavy_module(verb):
    code = """
import sys
from arrowflow.cli import main
main([*sys.argv[1:], "--help"], standalone_mode=False)
print("MODULES", *sorted({name.partition(".")[0] for name in sys.modules}))
"""
    loaded = set(_python(code, *[verb] if verb else []).rpartition("MODULES ")[2].split())

    assert "click" in loaded
    assert not loaded & HEAVY


def test_help_costs_little_more_than_loading_click():
    """Goal: 150 ms on an idle machine. CPU time is compared, for a busy machine makes every wall clock lie."""
    code = """
import resource, sys
if sys.argv[1] == "help":
    from arrowflow.cli import main
    main(["--help"], standalone_mode=False)
else:
    import click
used = resource.getrusage(resource.RUSAGE_SELF)
print("CPU", used.ru_utime + used.ru_stime)
"""
    pytest.importorskip("resource")

    def cpu(what):
        return float(_python(code, what).rpartition("CPU ")[2])

    pairs = [(cpu("click"), cpu("help")) for _ in range(7)]
    floor, cost = (min(column) for column in zip(*pairs, strict=True))

    assert cost < max(0.15, 2 * floor), f"help {cost * 1000:.0f} ms of CPU, click alone {floor * 1000:.0f} ms"


def test_help_names_every_verb_and_every_exit_code():
    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", result.output, re.MULTILINE)
    for code in ("0", "1", "2", "3", "4", "6", "7", "8", "130"):
        assert re.search(rf"\b{code} ", result.output)


def test_every_verb_of_the_table_is_a_command_with_help():
    for verb in VERBS:
        command = importlib.import_module(f"arrowflow.cli.{verb}").command

        assert isinstance(command, click.Command)
        assert command.name == verb
        assert command.help


def test_a_verb_that_does_not_exist_is_refused_with_the_nearest():
    result = CliRunner().invoke(main, ["rnu", "x.toml"])

    assert result.exit_code == 2
    assert 'there is no verb "rnu" – did you mean "run"?' in result.output


def test_a_hostile_verb_is_escaped():
    result = CliRunner().invoke(main, ["x\x1b[2J"])

    assert result.exit_code == 2
    assert "\x1b" not in result.output


def test_python_dash_m_is_the_same_command_line():
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    told = subprocess.run(
        [sys.executable, "-m", "arrowflow", "chaos", "--list"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "commit.create" in told.stdout
