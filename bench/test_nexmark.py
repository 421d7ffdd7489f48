"""Nexmark's queries on arrowflow's windows: equal to DuckDB's answers, in order and out of it; and the events they are asked of."""

from __future__ import annotations

import json

import polars as pl
import pytest
from bench.nexmark.events import AUCTION, BID, PERSON, generated, messages
from bench.nexmark.oracle import answer, difference
from bench.nexmark.queries import NAMES, asked

DELAY_US = 100


def slices(events, size):
    return [events.slice(low, size) for low in range(0, len(events), size)]


@pytest.fixture(scope="module")
def events(request):
    return generated(250_000 if request.config.getoption("benchmark_disable") else 2_000_000)


@pytest.mark.benchmark(group="nexmark")
@pytest.mark.parametrize("name", NAMES)
def test_a_query_gives_the_answer_of_duckdb(benchmark, events, name):
    mine = benchmark.pedantic(asked, args=(name, slices(events, 100_000)), rounds=3, warmup_rounds=1)

    assert difference(name, mine, answer(name, events)) is None
    assert len(mine) >= len(events) // 100_000


@pytest.mark.parametrize("name", NAMES)
def test_disorder_and_other_slices_change_nothing(name):
    events = generated(150_000, group=1_000, seed=3)

    mine = asked(name, slices(events, 7_001), tolerance_us=1_010 * DELAY_US)

    assert difference(name, mine, answer(name, events)) is None


def test_events_arrive_out_of_order_within_their_group_only():
    event_us = generated(20_000, group=1_000)["event_us"]
    behind = event_us.cum_max() - event_us

    assert behind.max() > 500 * DELAY_US
    assert behind.max() <= 1_000 * DELAY_US


def test_an_answer_with_a_row_too_few_too_many_or_changed_is_noticed(events):
    right = answer("q12", events)
    first = right.head(1)

    assert "1 are missing and 0 foreign" in difference("q12", right.slice(1), right)
    assert "0 are missing and 1 foreign" in difference("q12", right, right.slice(1))
    assert "1 are missing and 1 foreign" in difference("q12", pl.concat([right, first]), right)  # twice is another row
    assert difference("q12", first.with_columns(pl.col("bids") + 1).vstack(right.slice(1)), right) is not None
    assert difference("q12", right.sample(fraction=1.0, shuffle=True, seed=1), right) is None


def test_of_fifty_events_one_is_a_person_three_are_auctions_and_the_rest_bids():
    events = generated(100_000)
    counts = dict(events.group_by("kind").len().iter_rows())

    assert counts == {PERSON: 2_000, AUCTION: 6_000, BID: 92_000}
    assert events.filter(pl.col("kind") == PERSON)["person"].to_list() == list(range(1_000, 3_000))
    assert events.filter(pl.col("kind") == AUCTION)["auction"].to_list() == list(range(1_000, 7_000))
    assert events["event_us"].to_list()[::50_000] == [1_436_918_400_000_000, 1_436_918_405_000_000]


def test_half_of_the_bids_and_three_quarters_of_people_are_hot():
    bids = generated(200_000).filter(pl.col("kind") == BID)
    auctions = generated(200_000).filter(pl.col("kind") == AUCTION)

    assert 0.5 < (bids["auction"] % 100 == 0).mean() < 0.53
    assert 0.75 < (bids["bidder"] % 100 == 1).mean() < 0.78
    assert 0.75 < (auctions["seller"] % 100 == 0).mean() < 0.78


def test_the_same_seed_gives_the_same_events_and_another_one_others():
    assert generated(5_000).equals(generated(5_000))
    assert generated(5_000, seed=2)["price"].to_list() != generated(5_000)["price"].to_list()


def test_a_message_holds_what_its_event_has():
    person, auction, *bids = (json.loads(each) for each in messages(generated(50)))

    assert set(person) == {"kind", "event_us", "person", "name"}
    assert set(auction) == {"kind", "event_us", "auction", "seller", "category", "price"}
    assert all(set(bid) == {"kind", "event_us", "auction", "bidder", "price"} for bid in bids[2:])
