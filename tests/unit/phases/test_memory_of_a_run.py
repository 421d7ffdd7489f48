"""One amount of memory bounds what is on its way: large records into a slow store, measured in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from arrowflow.config.shares import shares

ROOT = Path(__file__).parents[3]
MIB = 1024**2
MEMORY = 256 * MIB


def test_large_records_and_a_slow_store_stay_within_the_memory_that_was_given():
    """Arrow's memory stays within the half that is not for the state. Without the bound it is 0.54 GB: `--unbounded`."""
    command = [sys.executable, "-m", "tests.support.hostile", "--memory", str(MEMORY)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["read"] * MIB // 4 > MEMORY // 2, "the job must be larger than what it may hold"
    assert told["epochs"] > 10
    assert told["arrow"] <= MEMORY // 2
    assert told["grown"] <= MEMORY


@pytest.mark.parametrize("memory", [64 * MIB, 512 * MIB, 2**30, 2**34, 2**40])
def test_the_shares_of_any_memory_fit_into_it(memory):
    own = shares(memory)

    assert own.slice <= own.epochs
    assert own.state + 6 * own.epochs + 3 * 4 * own.slice <= memory
