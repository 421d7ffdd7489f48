"""Nexmark's events from a seed: people, auctions and bids of one auction house, in the order in which they arrive.

The proportions, ids, prices and skew are those of the public description and of the generator the Flink and Beam suites use with its defaults: of
fifty events one is a new person, three are new auctions and forty-six are bids; half of the bids go to one hot auction in a hundred, three quarters
come from one hot bidder in a hundred, and three quarters of the auctions are opened by one hot seller in a hundred. The dice are numpy's, so the
streams are ours and not theirs bit by bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import polars as pl

PERSON, AUCTION, BID = 0, 1, 2
_PERSONS, _AUCTIONS, _ALL = 1, 3, 50
_FIRST_ID, _FIRST_CATEGORY, _CATEGORIES = 1000, 10, 5
_HOT_SELLERS, _HOT_AUCTIONS, _HOT_BIDDERS, _HOT_EVERY = 4, 2, 4, 100
_IN_FLIGHT, _ACTIVE, _LEAD = 100, 1000, 10
BASE_US = 1_436_918_400_000_000
"""The first event, as in Beam: 15 July 2015, UTC."""
APPEND_LAG_US = 3_700_000
"""So long after the first event the broker appends it; no multiple of a window, so that both times fall into other windows."""
_FIRST_NAMES = ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"]
_LAST_NAMES = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"]


def generated(events: int, *, seed: int = 1, rate: int = 10_000, group: int = 1) -> pl.DataFrame:
    """All events in order of arrival, one row each; columns of other kinds are null.

    Parameters
    ----------
    events : int
        How many.
    seed : int
        Another seed gives other sellers, bidders and prices.
    rate : int
        Events by the second of event time.
    group : int
        So many neighbours arrive in another order than they happened; 1 keeps the order.

    Returns
    -------
    DataFrame
        ``kind``, ``event_us``, ``append_us`` (when a broker would have appended it), ``person``, ``name``, ``seller``,
        ``auction``, ``category``, ``bidder``, ``price``.
    """
    dice = np.random.default_rng(seed)
    arrival = np.arange(events, dtype=np.int64)
    number = arrival // group * group + arrival * 953 % group
    epoch, offset = number // _ALL, number % _ALL
    kind = np.where(offset < _PERSONS, PERSON, np.where(offset < _PERSONS + _AUCTIONS, AUCTION, BID)).astype(np.int8)
    last_person, last_auction = epoch * _PERSONS, _last_auction(epoch, offset)
    seller = _someone(dice, last_person, _HOT_SELLERS, 0)
    bidder = _someone(dice, last_person, _HOT_BIDDERS, 1)
    wanted = _auction(dice, last_auction)
    price = np.round(10.0 ** (dice.random(events) * 6.0) * 100.0).astype(np.int64)
    first = dice.integers(0, len(_FIRST_NAMES), events)
    last = dice.integers(0, len(_LAST_NAMES), events)
    category = _FIRST_CATEGORY + dice.integers(0, _CATEGORIES, events)
    names = np.array([f"{a} {b}" for a in _FIRST_NAMES for b in _LAST_NAMES])
    frame = pl.DataFrame(
        {
            "kind": kind,
            "event_us": BASE_US + number * 1_000 // rate * 1_000,
            "append_us": BASE_US + APPEND_LAG_US + arrival * 1_000 // rate * 1_000,
            "person": _FIRST_ID + last_person,
            "name": pl.Series(names).gather(first * len(_LAST_NAMES) + last),
            "seller": _FIRST_ID + seller,
            "auction": _FIRST_ID + np.where(kind == BID, wanted, last_auction),
            "category": category,
            "bidder": _FIRST_ID + bidder,
            "price": price,
        }
    )
    of = pl.col("kind")
    return frame.with_columns(
        pl.when(of == PERSON).then(pl.col("person", "name")),
        pl.when(of == AUCTION).then(pl.col("seller", "category")),
        pl.when(of != PERSON).then(pl.col("auction", "price")),
        pl.when(of == BID).then(pl.col("bidder")),
    )


def messages(events: pl.DataFrame) -> Iterator[bytes]:
    """The events as JSON objects without their nulls; 82 bytes on average."""
    for row in events.drop("append_us").iter_rows(named=True):
        told = {name: value for name, value in row.items() if value is not None}
        yield json.dumps(told, separators=(",", ":")).encode()


def _last_auction(epoch: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The newest auction when an event happens, its own where it is one; before the first there is number 0."""
    within = np.clip(offset - _PERSONS, -1, _AUCTIONS - 1)
    return np.maximum(epoch * _AUCTIONS + within, 0)


def _auction(dice: np.random.Generator, newest: np.ndarray) -> np.ndarray:
    oldest = np.maximum(newest - _IN_FLIGHT, 0)
    some = oldest + (dice.random(len(newest)) * (newest - oldest + 1 + _LEAD)).astype(np.int64)
    hot = dice.integers(0, _HOT_AUCTIONS, len(newest)) > 0
    return np.where(hot, newest // _HOT_EVERY * _HOT_EVERY, some)


def _someone(dice: np.random.Generator, newest: np.ndarray, ratio: int, seat: int) -> np.ndarray:
    """The hot person of the newest hundred, but once in `ratio` any who is active, or soon will be."""
    people = newest + 1
    active = np.minimum(people, _ACTIVE)
    some = people - active + (dice.random(len(newest)) * (active + _LEAD)).astype(np.int64)
    hot = dice.integers(0, ratio, len(newest)) > 0
    return np.where(hot, newest // _HOT_EVERY * _HOT_EVERY + seat, some)
