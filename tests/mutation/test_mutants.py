"""The mutator changes what it says, one thing at a time, and nothing that is no code."""

from __future__ import annotations

import ast
from random import Random

import pytest
from tests.mutation.mutants import mutants_of, named, sample_of
from tests.mutation.targets import TARGETS, files_of, target_of

PROSE = '''"""A page of 3 words."""

from typing import Protocol

__all__ = ["f"]


class Says(Protocol):
    def f(self, x: int = 3) -> int:
        """Three at least 3."""


@mark(7)
def f(x: "int64[9]") -> "int64[9]":
    """At least 3."""
    assert x > 5, "not 6"
    for a, b in zip(x, x, strict=True):
        raise AssertionError("7 < 8")
'''


@pytest.fixture
def changes(tmp_path):
    def of(source):
        (tmp_path / "m.py").write_text(source)
        found = mutants_of(tmp_path, tmp_path / "m.py")
        for mutant in found:
            ast.parse(mutant.applied(source.encode()))
        return sorted({(mutant.what, mutant.after) for mutant in found})

    return of


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("a < b", [("comparison", "a <= b")]),
        ("a is not b", [("comparison", "a is b")]),
        ("a - b", [("arithmetic", "a + b")]),
        ("a and b", [("and/or", "a or b")]),
        ("not a", [("negation", "a")]),
        ("min(a)", [("min/max", "max(a)"), ("statement", "pass")]),
        ("x = 5", [("constant", "x = 4"), ("constant", "x = 6")]),
        ("x = True", [("constant", "x = False")]),
        ("x[a:]", [("slice", "x[a + 1:]"), ("slice", "x[a:-1]")]),
        ("x.y = z", [("statement", "pass")]),
        ("x -= y", [("arithmetic", "x += y"), ("statement", "pass")]),
        ("def f():\n    return x", [("return", "return None")]),
        ("raise E(1 + 2, f'{3}')", [("statement", "pass")]),
        ("é = 'é', 1 # é", [("constant", "é = 'é', 0 # é"), ("constant", "é = 'é', 2 # é")]),
    ],
    ids=str,
)
def test_each_kind_of_change_is_made_once(changes, source, wanted):
    assert changes(source + "\n") == wanted


def test_prose_types_marks_and_assertions_stay_as_they_are(changes):
    assert changes(PROSE) == []


def test_a_sample_is_drawn_again_from_its_seed_and_a_mutant_found_by_its_name(tmp_path):
    (tmp_path / "m.py").write_text("x = 1 + 2 * y\nz = [x < 3, y > 4]\n")

    drawn, every = sample_of(tmp_path, 5, Random(3))

    assert sample_of(tmp_path, 5, Random(3)) == (drawn, every)
    assert len(drawn) == 5 < every
    assert named(tmp_path, [drawn[0].name]) == ([drawn[0]], every)


def test_tests_of_a_module_come_before_the_others_and_none_is_left_out(tmp_path):
    folder = tmp_path / "tests" / "unit" / "windows"
    folder.mkdir(parents=True)
    for stem in ("clocks", "operator", "sums"):
        (folder / f"test_{stem}.py").touch()

    first, others = files_of(tmp_path, target_of("kernels/sums.py").tests)

    assert [first, others] == [
        ["tests/unit/windows/test_sums.py"],
        [f"tests/unit/windows/test_{each}.py" for each in ("clocks", "operator")],
    ]
    assert target_of("new.py").tests
    assert all(target.tests for target in TARGETS.values())
