"""The gate that no clock takes part in: instructions a row of every kernel on the hot path, beside their budgets."""

from __future__ import annotations

import os
import shutil

import pytest
from bench.counting.steps import AVAILABLE
from bench.instructions import UPDATE, budgets, complaints, counted, versions
from tests.house.planting import ROOT

KINDS = ("tumbling", "hopping", "session", "calendar", "keys as text", "keys never seen", "json", "kafka")
WALK = "kafka: walk a batch"

pytestmark = [
    pytest.mark.jit,
    pytest.mark.skipif(not AVAILABLE, reason="instructions are counted on x86-64 Linux only"),
    pytest.mark.skipif(
        budgets()[0]["python"] != versions()["python"], reason="the budgets were taken with another Python"
    ),
]


@pytest.mark.slow
def test_no_kernel_takes_more_instructions_a_row_than_its_budget():
    taken_with, allowed = budgets()
    assert taken_with == versions(), f"the budgets are of other versions: {UPDATE}"

    found = counted()

    assert complaints(found, allowed) == []
    assert all(any(case.startswith(kind) for case in found) for kind in KINDS)
    assert all(sum(kernels.values()) > 5 for kernels in found.values())


def test_a_kernel_made_slower_is_refused_by_name(tmp_path):
    """The whole package once more, its copying loop with the signed indices that its comment warns of."""
    shutil.copytree(ROOT / "src" / "arrowflow", tmp_path / "arrowflow", ignore=shutil.ignore_patterns("__pycache__"))
    kernel = tmp_path / "arrowflow" / "sources" / "kafka" / "wire" / "kernels" / "records.py"
    unsigned = "np.uint64(start[i]), np.uint64(at)", "np.uint64(max(size[i], 0))"
    text = kernel.read_text()
    assert all(text.count(each) == 1 for each in unsigned)
    for each, signed in zip(unsigned, ("start[i], at", "max(size[i], 0)"), strict=True):
        text = text.replace(each, signed)
    kernel.write_text(text)

    found = counted([WALK], path=os.pathsep.join([str(tmp_path), str(ROOT)]))

    allowed = {WALK: budgets()[1][WALK]}
    (line,) = complaints(found, allowed)
    assert line.startswith(f"{WALK}: records.gather takes ")
    assert "its budget is " in line
    assert UPDATE in line


def test_a_kernel_without_a_budget_and_a_budget_without_a_kernel_are_told():
    found, allowed = {"case": {"a.new": 3.0, "a.kept": 104.9}}, {"case": {"a.gone": 3.0, "a.kept": 100.0}}

    new, gone = complaints(found, allowed)

    assert "a.new has no budget" in new
    assert "a.gone has a budget and is not called" in gone


def test_five_percent_more_is_the_end_of_patience():
    allowed = {"case": {"a.kernel": 100.0}}

    assert complaints({"case": {"a.kernel": 106.0}}, allowed) == []
    (line,) = complaints({"case": {"a.kernel": 106.1}}, allowed)
    assert "takes 106.1 instructions a row, its budget is 100.0 (+6.1%)" in line
