"""The same questions in SQL on all events at once, by DuckDB: shares nothing with the queries but the names of columns."""

from __future__ import annotations

import duckdb
import polars as pl

TEN = 10_000_000
_BIDS = "select * from events where kind = 2"
SQL = {
    # windows [s, s + 10 s) with s a multiple of 2 s: a bid is in the five that begin in the 10 s up to it
    "q5": f"""
        with bid as ({_BIDS}),
             counted as (select (event_us // 2000000 - step) * 2000000 as window_start, auction, count(*) as num
                         from bid, range(5) as steps(step) group by all),
             most as (select window_start, max(num) as num from counted group by all)
        select window_start, auction, num from counted join most using (window_start, num)""",
    "q7": f"""
        with bid as (select *, event_us // {TEN} * {TEN} as window_start from ({_BIDS})),
             highest as (select window_start, max(price) as price from bid group by all)
        select window_start, auction, bidder, price from bid join highest using (window_start, price)""",
    "q8": f"""
        with p as (select distinct person as "user", name, event_us // {TEN} * {TEN} as window_start
                   from events where kind = 0),
             a as (select distinct seller as "user", event_us // {TEN} * {TEN} as window_start
                   from events where kind = 1)
        select window_start, "user", name from p join a using ("user", window_start)""",
    "q11": f"""
        with bid as ({_BIDS}),
             edges as (select bidder, event_us, coalesce(event_us - lag(event_us) over mine > {TEN}, true) as edge
                       from bid window mine as (partition by bidder order by event_us)),
             numbered as (select *, sum(edge::int) over (partition by bidder order by event_us) as session from edges)
        select min(event_us) as window_start, max(event_us) + {TEN} as window_end, bidder, count(*) as bids
        from numbered group by bidder, session""",
    "q12": f"""
        select append_us // {TEN} * {TEN} as window_start, bidder, count(*) as bids from ({_BIDS}) group by all""",
}


def answer(name: str, events: pl.DataFrame) -> pl.DataFrame:
    """What a query gives for these events."""
    with duckdb.connect() as base:
        base.register("events", events.to_arrow())
        return base.sql(SQL[name]).pl()


def difference(name: str, mine: pl.DataFrame, theirs: pl.DataFrame) -> str | None:
    """What differs between two answers, as a sentence; rows may come in any order, each as often as in the other."""
    left, right = (_plain(frame, mine.columns) for frame in (mine, theirs))
    if left.equals(right):
        return None
    counted = [frame.group_by(frame.columns).len() for frame in (left, right)]
    missing, foreign = (
        one.join(other, on=one.columns, how="anti", nulls_equal=True) for one, other in (counted[::-1], counted)
    )
    shown = [*missing.head(1).rows(), *foreign.head(1).rows()]
    return f"{name}: {len(left)} rows, DuckDB has {len(right)}; {len(missing)} are missing and {len(foreign)} foreign: {shown}"


def _plain(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    numbers = [pl.col(each).cast(pl.Int64) for each in columns if each != "name"]
    return frame.select(columns).with_columns(numbers).sort(columns)
