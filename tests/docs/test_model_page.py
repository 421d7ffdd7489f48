"""The page about the model shows the table that the checker runs, and names only switches that there are."""

import re
from pathlib import Path

from formal.check import lines

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "model.md").read_text(encoding="utf-8")


def test_every_setting_and_every_mutant_is_on_the_page_as_the_table_has_it():
    missing = [
        line.name for line in lines() if f"| {line.name} | {line.what} |" not in PAGE or line.reading not in PAGE
    ]

    assert missing == []


def test_a_number_of_steps_stands_beside_each_mutant():
    for line in lines():
        if line.mutant:
            row = next(row for row in PAGE.splitlines() if row.startswith(f"| {line.name} |"))
            assert re.search(r"\| \d+ \|", row), row


def test_every_switch_named_on_the_page_is_in_the_model():
    model = "".join(file.read_text() for file in (ROOT / "formal").glob("*.pml"))

    named = set(re.findall(r"`([A-Z_]{4,})`", PAGE)) - {"EVENTS", "EVENT", "FILE"}
    assert named
    assert [name for name in named if name not in model] == []
