"""A build tries 20,000 examples of the laws; each planted fault is noticed, and an example can be seen again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from tests.laws.campaign import Choice, example, examples
from tests.laws.faults import FAULTS, truncate_towards_zero
from tests.laws.laws import LAWS, ONLY
from tests.laws.setups import KINDS

ROOT = Path(__file__).parents[2]
IN_CI = os.environ.get("HYPOTHESIS_PROFILE") == "ci" and not numba.config.DISABLE_JIT
EXAMPLES = int(os.environ.get("ARROWFLOW_LAWS") or (20_000 if IN_CI else 300))
SEED = 1 if os.environ.get("HYPOTHESIS_PROFILE") in ("ci", "few") else random.randrange(2**32)


def test_the_laws_hold():
    held, failure = examples(SEED, range(EXAMPLES), Choice())

    assert failure is None, f"python -m tests.laws --seed {SEED} --example {failure.number}\n{failure}"
    assert held.total() == EXAMPLES


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_planted_fault_is_noticed_by_its_law(fault, monkeypatch):
    fault.plant(monkeypatch.setattr)

    held, failure = examples(1, range(600), Choice((fault.law,), fault.kinds, fault.aimed))

    assert failure is not None, f"{held.total()} examples of {fault.law!r} hold all the same"


def test_every_law_has_a_fault_that_it_notices():
    assert {fault.law for fault in FAULTS} == set(LAWS)


def test_all_laws_meet_all_kinds_they_are_about():
    pairs = Choice().pairs()

    for law in LAWS:
        assert {kind for name, kind in pairs if name == law} == set(ONLY.get(law, KINDS))


def test_an_example_that_failed_fails_again_in_the_same_way(monkeypatch):
    truncate_towards_zero(monkeypatch.setattr)
    choice = Choice(("shift",), ("tumbling",))

    _held, failure = examples(7, range(600), choice)

    assert example(7, failure.number, choice) == failure


def test_the_command_counts_what_it_ran():
    command = [sys.executable, "-m", "tests.laws", "--examples", "30", "--seed", "3", "--laws", "clock", "one answer"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "30 examples of seed 3 hold" in done.stdout
