"""A thousand histories of crashes, zombies and contenders hold; each is the same whenever and wherever it is played."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.simulation.__main__ import failure, next_seed, replay

from arrowflow.testing.simulation.campaign import run_block
from arrowflow.testing.simulation.history import simulate

ROOT = Path(__file__).parents[2]
HISTORIES = int(os.environ.get("ARROWFLOW_HISTORIES", "1000"))
SHARES = 8
"""The histories of a build in so many tests, dealt to its processes."""


@pytest.mark.parametrize("share", range(SHARES))
def test_a_thousand_histories_lose_double_and_change_nothing(share):
    size = -(-HISTORIES // SHARES)
    block = run_block((share * size, (share + 1) * size))

    assert block.wrong == [], "\n".join(failure(seed, what) for seed, what in block.wrong)
    assert block.counts["crashes"] > size / 4
    assert block.counts["freezes"] > size / 4
    assert block.counts["faults"] > size / 2
    assert block.counts["fenced"] > size / 8
    assert block.counts["topic_rows"] > size / 2
    assert block.counts["restarts"] > size / 50
    assert block.counts["removed"] > size


def test_fifty_histories_are_the_same_in_another_process_with_another_seed_of_hashes():
    code = "from arrowflow.testing.simulation.campaign import run_block; print(run_block((5000, 5050)).digest)"
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONHASHSEED": "4711"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=600
    )

    assert len(told.stdout.strip()) == 64
    assert run_block((5000, 5050)).digest == told.stdout.strip()


def test_a_history_leaves_no_thread_behind():
    before = threading.active_count()
    for seed in range(20):
        simulate(seed)

    assert threading.active_count() == before


def test_a_failure_tells_its_seed_and_the_command_that_plays_it_again(capsys):
    assert replay(7, show=True) == 0
    assert "seed 7 of commit" in capsys.readouterr().out
    assert "python -m tests.simulation --seed 9 --show" in failure(9, ["I4: a row twice"])


def test_results_say_which_seed_comes_next(tmp_path):
    file = tmp_path / "results.jsonl"
    assert next_seed(file) == 0

    file.write_text('{"kind": "simulation", "seeds": [0, 250]}\n{"kind": "kills", "seeds": [0, 900]}\n')

    assert next_seed(file) == 250


@pytest.mark.parametrize("seed", [3305, 825])
def test_a_history_that_once_was_wrong_holds(seed):
    """What the fault report tells of these seeds; a seed names what was drawn then, so another change makes another history of it."""
    assert simulate(seed).wrong == ()
