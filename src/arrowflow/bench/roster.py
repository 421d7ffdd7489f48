"""The benchmarks a user can ask for by name, and all of them made into one result. Each measures in a file of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from arrowflow.bench import commits, decode, jobs, windows
from arrowflow.bench.machine import these_versions, this_machine
from arrowflow.bench.results import Line, Machine, Result
from arrowflow.config.problem import listed, meant, shown
from arrowflow.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: how many records, how many timed runs, and for the whole job which file on which broker."""

    rows: int
    runs: int
    config: Path
    brokers: str | None = None


BENCHMARKS: dict[str, Callable[[Asked], list[Line]]] = {
    "decode": lambda asked: decode.measure(asked.rows, asked.runs),
    "windows": lambda asked: windows.measure(asked.rows, asked.runs),
    "commit": lambda asked: commits.measure(max(10, min(200, asked.rows // 100)), asked.runs),
    "job": lambda asked: jobs.measure(asked.config, asked.rows, asked.runs, asked.brokers),
}
"""Name to what it measures, in the order in which they run."""


def chosen(names: Sequence[str]) -> list[str]:
    """The benchmarks of these names in their own order, all if there are none; raises `ConfigError` for one that is not there."""
    for name in names:
        if name not in BENCHMARKS:
            raise ConfigError(
                f"there is no benchmark {shown(name)}{meant(name, BENCHMARKS)}; choose from {listed(BENCHMARKS)}"
            )
    return [name for name in BENCHMARKS if name in names or not names]


def measured(names: Sequence[str], asked: Asked) -> Iterator[tuple[str, list[Line]]]:
    """Measure one after the other and hand over each as it ends.

    Raises
    ------
    ConfigError
        For numbers that measure nothing, and for a job that cannot run; before anything is measured.
    """
    if asked.rows < 1 or asked.runs < 1:
        raise ConfigError(f"rows is {asked.rows} and runs {asked.runs}; both want a number from 1 up")
    if "job" in names:
        jobs.ready(asked.config, asked.brokers)
    for name in names:
        yield name, BENCHMARKS[name](asked)


def result_of(title: str, command: str, lines: Sequence[Line], machine: Machine | None = None) -> Result:
    """Lines with where and when they were measured; `machine` as it was before, for its load."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Result(title, command, now, machine or this_machine(), these_versions(), tuple(lines))
