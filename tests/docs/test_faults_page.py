"""The page of faults names tests that exist, and every row that must be shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
REQUIRED = [
    *range(1, 23),
    *range(24, 27),
    *range(29, 44),
    *range(46, 53),
    *range(55, 65),
    *range(67, 88),
    90,
]
ROWS = {int(row): line for row, line in re.findall(r"^\| (\d+) \|(.*)\|$", PAGE, re.MULTILINE)}
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


def test_every_required_row_is_on_the_page_once_and_in_order_of_its_table():
    assert sorted(ROWS) == sorted(REQUIRED)
    assert len(re.findall(r"^\| \d+ \|", PAGE, re.MULTILINE)) == len(REQUIRED)


@pytest.mark.parametrize("row", REQUIRED)
def test_every_row_names_a_test(row):
    assert "`tests/" in ROWS[row]


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name or file for file, name in NAMED])
def test_every_named_test_exists(file, name):
    text = (ROOT / file).read_text(encoding="utf-8")

    assert re.search(rf"^(def|class) {name}\b" if name else r"^(    )?def test_", text, re.MULTILINE), (
        f"docs/faults.md names {file}::{name}, which is not there"
    )


def test_a_test_that_is_named_by_a_row_number_stands_in_that_row():
    """So that a number in a test's name and the page never say different things."""
    for row, line in ROWS.items():
        for name in re.findall(r"::(test_row_\d+\w*)", line):
            assert int(name.split("_")[2]) == row, f"row {row} names {name}"
