"""The shape of the code is checked, not asked for; beside each rule stands a plant that it must notice."""

from __future__ import annotations

import shutil

import pytest
from tests.house import shape
from tests.house.planting import PACKAGE, plant

STATE = {
    "global": "_seen = 0\ndef bump() -> None:\n    global _seen\n    _seen += 1",
    "a dict filled by a function": "_KNOWN: dict[str, int] = {}\ndef learn(name: str) -> None:\n    _KNOWN[name] = 1",
    "a list grown by a function": "_ROWS = []\ndef keep(row: int) -> None:\n    _ROWS.append(row)",
    "a set updated in place": "_NAMES = set()\ndef merge(names: set[str]) -> None:\n    _NAMES.update(names)",
    "an entry deleted": "_OPEN = dict()\ndef drop(name: str) -> None:\n    del _OPEN[name]",
    "a cache on a function": "@functools.lru_cache(maxsize=None)\ndef look_up(name: str) -> int: ...",
    "a lock": "_LOCK = threading.Lock()",
    "a counter": "_NUMBERS = itertools.count()",
}


@pytest.fixture(scope="module")
def trees():
    return shape.modules(PACKAGE)


class Copy:
    """A few files of the package in a folder of their own, with something planted in them."""

    def __init__(self, folder):
        self.folder = folder / "arrowflow"

    def plant(self, file, code):
        copy = self.folder / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (PACKAGE / file).exists():
            shutil.copy(PACKAGE / file, copy)
        plant(copy, code)

    @property
    def trees(self):
        return shape.modules(self.folder)


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def test_no_function_is_longer_than_sixty_lines(trees):
    assert shape.long_functions(trees) == []


def test_a_function_of_sixty_one_lines_is_noticed_and_one_of_sixty_is_not(copy):
    copy.plant("errors.py", "def long() -> None:\n" + "    pass\n" * 60)
    copy.plant("types.py", "def fits() -> None:\n" + "    pass\n" * 59)

    assert shape.long_functions(copy.trees) == ["arrowflow.errors.long: 61 lines"]


def test_a_long_method_counts_with_its_docstring(copy):
    copy.plant("errors.py", 'class A:\n    def long(self) -> None:\n        """A.\n' + "\n" * 60 + '        """')

    assert shape.long_functions(copy.trees) == ["arrowflow.errors.long: 63 lines"]


def test_modules_import_each_other_in_no_circle(trees):
    assert len(trees) > 150
    assert shape.import_cycle(trees) == []


def test_a_circle_of_three_modules_is_noticed(copy):
    copy.plant("one.py", "from arrowflow.two import x")
    copy.plant("two.py", "import arrowflow.three")
    copy.plant("three.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from arrowflow import one")

    cycle = shape.import_cycle(copy.trees)

    assert set(cycle) == {"arrowflow.one", "arrowflow.two", "arrowflow.three"}


def test_no_module_keeps_state(trees):
    assert shape.module_state(trees) == []


@pytest.mark.parametrize("code", STATE.values(), ids=STATE)
def test_state_in_a_module_is_noticed(copy, code):
    copy.plant("phases/read.py", code)

    found = shape.module_state(copy.trees)

    assert len(found) == 1
    assert found[0].startswith("arrowflow.phases.read: ")


def test_every_module_and_everything_public_says_what_it_is(trees):
    assert shape.missing_docstrings(trees) == []


def test_whatever_does_not_say_what_it_is_is_noticed(copy):
    copy.plant("silent.py", "def told(): 'Say.'\nclass Public: ...\ndef public(): ...\ndef _own(): ...")
    copy.plant("later.py", '"""\nThe first line is empty.\n"""')

    assert shape.missing_docstrings(copy.trees) == [
        "arrowflow.later",
        "arrowflow.silent",
        "arrowflow.silent.Public",
        "arrowflow.silent.public",
    ]


def test_the_words_of_the_users_are_in_no_identifier(trees):
    assert shape.domain_identifiers(trees) == []


@pytest.mark.parametrize(
    ("code", "identifier"),
    [
        ("planta = 1", "planta"),
        ("def by_linea() -> None: ...", "by_linea"),
        ("class TurnoWindow: ...", "TurnoWindow"),
        ("def total(*, unidades: int) -> None: ...", "unidades"),
        ("row.unidades_producidas", "unidades_producidas"),
        ("make(turno=1)", "turno"),
        ("import os as lineas", "lineas"),
    ],
)
def test_a_word_of_the_users_in_an_identifier_is_noticed(copy, code, identifier):
    copy.plant("errors.py", code)

    assert shape.domain_identifiers(copy.trees) == [f"arrowflow.errors: {identifier}"]


def test_words_that_only_look_like_theirs_and_texts_are_let_be(copy):
    copy.plant("errors.py", "lineage = 'planta'\nlinear = {'turno': 1}")
    copy.plant("samples/plants.py", "planta = 1")

    assert shape.domain_identifiers(copy.trees) == []
