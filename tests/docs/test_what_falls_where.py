"""The pictures are what the page's code draws today, and the sentences under them are true."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from tests.docs.pictures import IMAGES, PAGE, pictures, shown

KINDS = {"tumbling", "hopping", "cumulative", "sliding", "session", "shifts"}


@pytest.fixture(scope="module")
def drawn():
    return pictures()


def test_every_kind_of_window_has_a_picture_and_every_picture_is_on_the_page():
    assert len(shown()) == len(set(shown()))
    assert set(shown()) >= KINDS
    assert {file.stem for file in IMAGES.glob("*")} == set(shown())


@pytest.mark.parametrize("name", shown())
def test_a_picture_is_byte_by_byte_what_the_code_on_the_page_draws(drawn, name):
    """After a change that is meant: ``python -m tests.docs.pictures``, and read what the sentences say."""
    assert (IMAGES / f"{name}.svg").read_bytes() == drawn[name].encode()


TRUE_OF = {
    "tumbling": ["[06:10, 06:20) holds rows 3, 4, 6", "[06:00, 06:10) holds rows 1, 2, 5; row 7 came too late"],
    "hopping": ["[05:55, 06:05) holds rows 1, 2; row 6 came too late", "[06:00, 06:10) holds rows 1, 2, 3, 6; row 9"],
    "hopping_apart": ["In no window: row"],
    "cumulative": ["[06:00, 06:05) holds rows 1, 2; row 6 came", "[06:00, 06:10) holds rows 1, 2, 3, 6."],
    "sliding": ["(06:00, 06:10] holds rows 2, 3, 5.", "(06:02, 06:12] never came out; row 7", "(06:04, 06:14] holds rows 3, 4, 5; row 7"],
    "sliding_both": ["[06:00, 06:10] holds rows 1, 2, 3, 5.", "[06:04, 06:14] holds rows 2, 3, 4, 5; row 7"],
    "session": ["[06:00, 06:15) holds rows 1, 2, 3.", "[06:20, 06:25) holds row 4; row 7 came", "[06:22, 06:27) never came out"],
    "session_max_length": ["[06:00, 06:12) holds rows 1, 2, 3, 4.", "[06:12, 06:24) holds rows 5, 6, 7."],
    "shifts": ["T3 [22:00, 06:00) holds rows 1, 2, 3, 4, 5, 6.", "T1 [06:00, 14:00) holds rows 7, 8, 9.", "01:30, 01:30"],
}  # fmt: skip


@pytest.mark.parametrize("name", shown())
def test_what_the_page_says_under_a_picture_stands_in_its_description(drawn, name):
    assert [sentence for sentence in TRUE_OF[name] if sentence not in description(drawn[name])] == []


def test_the_night_lasts_nine_hours_and_a_page_says_so(drawn):
    assert ">9h, 6 rows<" in drawn["shifts"]
    assert "nine hours" in PAGE.read_text()


@pytest.mark.parametrize("name", shown())
def test_a_picture_can_be_read_aloud_and_on_a_dark_page(drawn, name):
    root = ET.fromstring(drawn[name])
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert root[0].text
    assert "prefers-color-scheme: dark" in drawn[name]
    assert not re.search(r"href|<script|<image|url\(", drawn[name])


def description(svg: str) -> str:
    return ET.fromstring(svg)[1].text
