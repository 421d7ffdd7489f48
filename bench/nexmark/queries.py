"""The queries on arrowflow's windows: which events, which window, which aggregates, and what is done with windows that closed.

A `Query` is fed slices of all events. It picks its own, pushes them into an `af.WindowOperator` and looks only at windows that came out:
nothing but q7 remembers an event. Times are milliseconds in microseconds; the tolerance is the events' disorder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
from bench.nexmark.events import BID

import arrowflow as af

NAMES = ("q5", "q7", "q8", "q11", "q12")
START, BIDS = pl.col("window_start"), pl.col("kind") == BID
_USER = pl.coalesce("person", "seller").alias("user")


@dataclass(frozen=True)
class Query:
    """How one query is asked.

    Parameters
    ----------
    name, asks : str
        Its number, and its question.
    window : window kind
        Of `arrowflow`.
    by : tuple of str
        Keys.
    aggregate : dict
        Result columns.
    time : str
        The column of event time.
    columns : tuple
        What is read of an event.
    bids : bool
        Whether it reads bids; otherwise it reads people and auctions.
    """

    name: str
    asks: str
    window: object
    by: tuple[str, ...]
    aggregate: dict[str, str]
    columns: tuple[str | pl.Expr, ...]
    time: str = "event_us"
    bids: bool = True

    def picked(self, events: pl.DataFrame) -> pl.DataFrame:
        """Its own events of a slice, and of each what it reads."""
        return events.filter(BIDS if self.bids else ~BIDS).select(self.columns)

    def operator(self, tolerance_us: int) -> af.WindowOperator:
        """An operator that has seen nothing."""
        tolerance = tolerance_us if self.time == "event_us" else 0  # a broker appends in the order of its clock
        return af.WindowOperator(
            self.window, self.by, self.aggregate, time=self.time, time_unit="us", max_out_of_orderness=tolerance
        )


def query(name: str) -> Query:
    """One of `NAMES`."""
    ten = "10s"
    match name:
        case "q5":
            asks, window = "which auctions had the most bids of the last 10 s, every 2 s", af.Hopping(ten, "2s")
            return Query(name, asks, window, ("auction",), {"num": "count()"}, ("auction", "event_us"))
        case "q7":
            asks, columns = "the highest bids of every 10 s", ("price", "auction", "bidder", "event_us")
            return Query(name, asks, af.Tumbling(ten), (), {"price": "max(price)"}, columns)
        case "q8":
            asks = "who is new and opened an auction in the same 10 s"
            counts = {"name": "first(name)", "joined": "count(person)", "opened": "count(seller)"}
            columns = (_USER, "person", "name", "seller", "event_us")
            return Query(name, asks, af.Tumbling(ten), ("user",), counts, columns, bids=False)
        case "q11":
            asks = "bids of each user in sessions 10 s apart"
            return Query(name, asks, af.Session(ten), ("bidder",), {"bids": "count()"}, ("bidder", "event_us"))
        case "q12":
            asks, counts = "bids of each user in every 10 s of the broker's append time", {"bids": "count()"}
            return Query(name, asks, af.Tumbling(ten), ("bidder",), counts, ("bidder", "append_us"), time="append_us")
        case _:
            raise ValueError(f"{name}: there are {', '.join(NAMES)}")


def asked(name: str, slices: Sequence[pl.DataFrame], tolerance_us: int = 0) -> pl.DataFrame:
    """Ask one query of all events, slice after slice, and return its whole answer.

    Raises
    ------
    AssertionError
        If an event was late or refused.
    """
    wanted = query(name)
    operator, out, kept = wanted.operator(tolerance_us), [], _Kept()
    for events in slices:
        own = wanted.picked(events)
        if name == "q7":
            kept.add(own)
        if (closed := operator.push(own)).num_rows:
            out.append(_answer(name, closed, kept))
    out.append(_answer(name, operator.finish(), kept))
    balance = operator.balance
    assert balance.read == balance.folded, f"{name}: {balance}"
    return pl.concat(out)


class _Kept:
    """Bids of windows that are still open: who made the highest one is known when its window has closed."""

    def __init__(self) -> None:
        self._bids: list[pl.DataFrame] = []

    def add(self, bids: pl.DataFrame) -> None:
        self._bids.append(bids)

    def behind(self, end_us: int) -> pl.DataFrame:
        """Give out the bids before `end_us` and keep the rest."""
        bids = pl.concat(self._bids)
        self._bids = [bids.filter(pl.col("event_us") >= end_us)]
        return bids.filter(pl.col("event_us") < end_us)


def _answer(name: str, closed: pa.Table, kept: _Kept) -> pl.DataFrame:
    """What a query gives for windows that closed; all keys of a window close together, so each is here whole."""
    frame = pl.DataFrame(pl.from_arrow(closed)).with_columns(pl.col("window_start", "window_end").dt.epoch("us"))
    match name:
        case "q5":
            return frame.filter(pl.col("num") == pl.col("num").max().over("window_start")).select(
                "window_start", "auction", "num"
            )
        case "q7":
            bids = kept.behind(frame["window_end"].max())
            high = frame.select("window_start", "window_end", "price").sort("window_start")
            near = bids.sort("event_us").join_asof(
                high.rename({"price": "highest"}), left_on="event_us", right_on="window_start", strategy="backward"
            )
            return near.filter(pl.col("price") == pl.col("highest")).select(
                "window_start", "auction", "bidder", "price"
            )
        case "q8":
            new = frame.filter((pl.col("joined") > 0) & (pl.col("opened") > 0))
            return new.select("window_start", "user", "name")
        case "q11":
            return frame.select("window_start", "window_end", "bidder", "bids")
        case _:
            return frame.select("window_start", "bidder", "bids")
