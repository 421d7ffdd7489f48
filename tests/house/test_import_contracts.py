"""Each import contract notices what it forbids: a contract that cannot fail is worse than none."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from itertools import pairwise, permutations

import pytest
from tests.house.planting import ROOT, copy_of_the_package, file_of, plant

CONTRACTS = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
LAYERS = "imports go down the layers"
FORBIDDING = [name for name, contract in CONTRACTS.items() if contract["type"] == "forbidden"]


def lint(folder):
    """Return what the linter said in `folder`, and whether it was content."""
    env = {**os.environ, "PYTHONPATH": "", "NO_COLOR": "1", "COLUMNS": "240"}
    code = "from importlinter.cli import lint_imports_command as check; check(['--no-logo', '--no-cache'])"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode in (0, 1), told.stderr
    return told.stdout, told.returncode == 0


def layers():
    """Return the rooms of each layer, top first."""
    return [[f"arrowflow.{room.strip()}" for room in layer.split("|")] for layer in CONTRACTS[LAYERS]["layers"]]


def upward_imports():
    """Return (importer, imported): each layer's rooms import those just above, and rooms side by side each other."""
    pairs = [(low, high) for above, below in pairwise(layers()) for low in below for high in above]
    return pairs + [pair for layer in layers() for pair in permutations(layer, 2)]


def test_an_untouched_copy_keeps_every_contract(tmp_path):
    copy_of_the_package(tmp_path)

    told, content = lint(tmp_path)

    assert content, told
    for name in CONTRACTS:
        assert f"{name} KEPT" in told


def test_every_contract_is_either_the_layers_or_one_that_forbids():
    assert {LAYERS, *FORBIDDING} == set(CONTRACTS)


def test_an_import_from_each_room_to_each_room_above_or_beside_it_is_noticed(tmp_path):
    package = copy_of_the_package(tmp_path)
    for low, high in upward_imports():
        plant(file_of(package, low), f"import {high}")

    told, content = lint(tmp_path)

    assert not content
    assert f"{LAYERS} BROKEN" in told
    missed = [(low, high) for low, high in upward_imports() if f"{low} is not allowed to import {high}" not in told]
    assert missed == []


def test_a_module_nobody_gave_a_place_is_noticed(tmp_path):
    package = copy_of_the_package(tmp_path)
    plant(package / "utils.py", '"""Odds and ends."""')

    told, content = lint(tmp_path)

    assert not content
    assert f"{LAYERS} BROKEN" in told
    assert "utils" in told


def test_an_import_hidden_in_a_function_is_noticed(tmp_path):
    package = copy_of_the_package(tmp_path)
    plant(package / "errors.py", "def late() -> None:\n    import arrowflow.types")

    told, content = lint(tmp_path)

    assert not content
    assert "arrowflow.errors is not allowed to import arrowflow.types" in told


@pytest.mark.parametrize("name", FORBIDDING)
def test_each_forbidden_import_is_noticed_in_each_module_it_is_forbidden_to(name, tmp_path):
    contract = CONTRACTS[name]
    pairs = [(source, target) for source in contract["source_modules"] for target in contract["forbidden_modules"]]
    edges = [(module, target) for source, target in pairs for module in planted_in(source)]
    package = copy_of_the_package(tmp_path)
    for module, target in edges:
        plant(file_of(package, module), f"import {target}")

    told, content = lint(tmp_path)

    assert not content
    assert f"{name} BROKEN" in told
    assert [pair for pair in pairs if "{} is not allowed to import {}".format(*pair) not in told] == []
    assert [edge for edge in edges if "{} -> {} ".format(*edge) not in told] == []


def planted_in(source):
    """Return where to plant: in the module itself, or in every room where the whole package is meant."""
    return [room for layer in layers() for room in layer] if source == "arrowflow" else [source]
