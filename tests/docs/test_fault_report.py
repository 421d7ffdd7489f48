"""The fault report says what the raw results say, and nothing was wrong in them."""

from tests.campaigns.page import PAGE, page, spans, verdict
from tests.campaigns.results import read


def test_the_page_is_what_the_results_give():
    assert PAGE.read_text(encoding="utf-8") == page(read()), "write it again: python -m tests.campaigns"


def test_nothing_in_the_results_is_wrong():
    wrong = [line for line in read() if line["kind"] != "weaker" and line.get("wrong")]
    assert wrong == []
    assert [line for line in read() if line.get("outcome") == "WRONG"] == []


def test_a_finding_would_be_told():
    line = {"kind": "toxic", "name": "slicer", "connections": 3, "wrong": ["wanted 7 windows, found 6"]}

    assert "| slicer | 3 | **WRONG**: wanted 7 windows, found 6 |" in page([line])
    assert verdict([]) == "Nothing wrong."


def test_ranges_of_seeds_are_joined_where_they_touch():
    assert spans([(250, 500), (0, 250), (700, 800)]) == [(0, 500), (700, 800)]
