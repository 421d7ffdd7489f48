"""Nexmark q5, q7, q8, q11 and q12: events per second and nanoseconds an event, answers held against DuckDB's.

    python -m bench.nexmark [--kafka] [--quick] [--events N] [--only q5,q7] [--group N] [--seed N] [--runs N] [--out FILE]

Time runs from slices of typed columns to the last row of the answer, over all events, those that a query does not read
included. DuckDB's own time is printed beside it: it is told all events at once, and only once.

With --kafka the queries are whole jobs too: JSON events in a topic of Apache Kafka (Java 17 and Maven), committed Parquet; q12 is a program over
the time at which the broker appended them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl
from bench.nexmark.events import generated
from bench.nexmark.oracle import answer, difference
from bench.nexmark.queries import NAMES, asked, query
from bench.telling import command_of, options, tell

from arrowflow.bench.machine import this_machine
from arrowflow.bench.results import Line
from arrowflow.bench.rounds import in_turn

SLICE = 100_000
DELAY_US = 100
"""Event time between two events at the rate of the generator, ten thousand a second."""


def measured(events: pl.DataFrame, names: list[str], runs: int, group: int) -> Iterator[Line]:
    """Time each query beside DuckDB; SystemExit for a wrong answer."""
    slices = [events.slice(low, SLICE) for low in range(0, len(events), SLICE)]
    tolerance_us = (group + 10) * DELAY_US
    for name in names:
        works = {
            name: partial(asked, name, slices, tolerance_us),
            f"{name} in DuckDB, all at once": partial(answer, name, events),
        }
        found = in_turn(works, runs)
        mine, theirs = (timed.answer for timed in found.values())
        if wrong := difference(name, mine, theirs):
            raise SystemExit(wrong)
        told = f"{len(mine):,} rows equal to DuckDB's ({query(name).asks})"
        for label, timed in found.items():
            yield Line("nexmark", label, len(events), tuple(timed.wall_s), tuple(timed.cpu_s), told, unit="events")


def on_kafka(events: pl.DataFrame, names: list[str], runs: int, group: int) -> list[Line]:
    """The same queries as whole jobs, on a broker of their own."""
    from bench.nexmark import appended, jobs
    from tests.realparts.kafka_broker import KafkaBroker

    asked_for = [name for name in names if name in jobs.NAMES]
    with tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as scratch, KafkaBroker.launch() as broker:
        tolerance_ms = (group + 10) * DELAY_US // 1000
        lines = list(jobs.measured(broker, events, asked_for, runs, Path(scratch), tolerance_ms))
        return [*lines, appended.measured(broker, events, runs)] if "q12" in names else lines


def main() -> None:
    """Generate, ask, compare, tell."""
    wanted = options(__doc__)
    wanted.add_argument("--events", type=int)
    wanted.add_argument("--only", default=",".join(NAMES))
    wanted.add_argument("--on-kafka", type=int, help="so many of the events go through the topic")
    wanted.add_argument("--group", type=int, default=1, help="so many neighbours arrive in another order")
    wanted.add_argument("--kafka", action="store_true", help="also as whole jobs on a real Kafka")
    wanted.add_argument("--seed", type=int, default=1)
    given = wanted.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - set(NAMES):
        raise SystemExit(f"--only {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    machine = this_machine()
    events = generated(given.events or (300_000 if given.quick else 5_000_000), seed=given.seed, group=given.group)
    runs = given.runs or (1 if given.quick else 3)
    lines = list(measured(events, names, runs, given.group))
    if given.kafka:
        lines += on_kafka(events[: given.on_kafka or (20_000 if given.quick else 1_000_000)], names, runs, given.group)
    tell("Nexmark", lines, machine, command_of("bench.nexmark"), given.out, given.compare)


if __name__ == "__main__":
    main()
