"""How tests are dealt to processes: files whole, one share for the broker, long ones first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.order import KAFKA, long_files_first, share_of


@dataclass
class Item:
    """As much of a test as the order looks at."""

    nodeid: str
    marks: set[str] = field(default_factory=set)

    def get_closest_marker(self, name):
        return name if name in self.marks else None


def test_a_file_is_a_share_and_all_files_of_the_broker_are_one():
    assert share_of("tests/unit/test_a.py::test_x[a::b]") == "tests/unit/test_a.py"
    assert share_of("tests/unit/test_a.py::TestA::test_x") == "tests/unit/test_a.py"
    assert (
        share_of("tests/chaos/test_kafka_campaign.py::test_x") == share_of("tests/b/test_kafka_y.py::test_z") == KAFKA
    )


def test_the_broker_goes_first_then_files_with_slow_tests_and_no_file_is_torn_apart():
    names = ["a.py::1", "b.py::1", "b.py::2", "c.py::1", "d/test_kafka_x.py::1", "e.py::1", "f/test_kafka_y.py::1"]
    items = [Item(name, {"slow"} if name.startswith("b") or name == "e.py::1" else set()) for name in names]

    long_files_first(items)

    order = ["d/test_kafka_x.py::1", "f/test_kafka_y.py::1", "b.py::1", "b.py::2", "e.py::1", "a.py::1", "c.py::1"]
    assert [item.nodeid for item in items] == order


def test_a_test_of_the_broker_in_a_file_of_another_name_is_refused():
    with pytest.raises(pytest.UsageError, match=r"name its file test_kafka_"):
        long_files_first([Item("tests/unit/test_a.py::test_x", {"kafka"})])


def test_a_test_that_has_another_name_in_each_process_is_refused():
    with pytest.raises(pytest.UsageError, match="give its parameters `ids`"):
        long_files_first([Item("tests/unit/test_a.py::test_x[<function <lambda> at 0x7f52a127dd00>]")])


def test_every_file_whose_tests_ask_for_the_broker_is_named_so():
    """Also where a fixture asks for it and no marker says so."""
    root = Path(__file__).parents[1]
    asks = re.compile(r"mark\.kafka|def \w+\([^)]*\bkafka\b")
    asking = [file for file in root.rglob("test_*.py") if asks.search(file.read_text())]

    assert len(asking) >= 3
    assert {file.name for file in asking if not file.name.startswith(KAFKA)} <= {Path(__file__).name}
