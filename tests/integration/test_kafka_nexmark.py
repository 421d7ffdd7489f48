"""Nexmark's queries as whole jobs on a real Kafka: committed rows equal to DuckDB's answers."""

from __future__ import annotations

import pytest
from bench.nexmark import appended
from bench.nexmark.events import generated
from bench.nexmark.jobs import found, measured, wanted
from bench.nexmark.oracle import difference

pytestmark = pytest.mark.kafka


def test_committed_tables_hold_the_answers(kafka, tmp_path):
    events = generated(4_000, rate=100)  # forty seconds of it

    lines = list(measured(kafka, events, ["q5", "q8"], 1, tmp_path, 1_000))

    assert [(line.name, line.records) for line in lines] == [("q5", 4_000), ("q8", 4_000)]
    assert len(found("q8", tmp_path / "q8-1")) > 10
    changed = wanted("q8", generated(4_000, rate=100, seed=2))
    assert difference("q8", found("q8", tmp_path / "q8-1"), changed) is not None


def test_bids_are_counted_by_the_time_at_which_the_broker_appended_them(kafka):
    line = appended.measured(kafka, generated(1_000), 1)

    assert line.records == 1_000
    assert appended.asked(kafka.bootstrap)["bids"].sum() == 920
