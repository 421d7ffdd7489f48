"""The whole job beside a loop that only consumes, on the same broker in the same run, answer checked.

Times nothing that it has not verified: a run whose rows differ from the sample's answer is a failure.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arrowflow.config import load
from arrowflow.engine import start
from arrowflow.errors import ArrowflowError
from arrowflow.pipeline import RunOptions
from arrowflow.samples import answer, stream
from arrowflow.sources.kafka.bare import consume_all
from arrowflow.sources.kafka.embedded import EmbeddedSpec
from arrowflow.sources.kafka.filling import fill
from arrowflow.testing.answers import wrong_rows

_CAUGHT_UP = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)


@dataclass(frozen=True, slots=True)
class Timing:
    """One run: wall seconds and CPU seconds of this process, for `records` records."""

    records: int
    wall_s: float
    cpu_s: float

    @property
    def records_per_s(self) -> float:
        return self.records / self.wall_s

    @property
    def cpu_ns_per_record(self) -> float:
        return self.cpu_s * 1e9 / self.records


@dataclass(frozen=True, slots=True)
class Report:
    """Medians over the runs, which alternate so that a drifting machine hits both alike."""

    records: int
    runs: int
    consume_records_per_s: float
    consume_cpu_ns_per_record: float
    job_records_per_s: float
    job_cpu_ns_per_record: float
    ratio: float
    rows_checked: int
    machine: str

    def as_dict(self) -> Mapping[str, object]:
        return asdict(self)


def measure(config: Path, *, rows: int, runs: int, brokers: str | None = None) -> Report:
    """Fill a broker once, then alternate the bare loop and the whole job.

    Parameters
    ----------
    config : Path
        A pipeline over the production sample, such as configs/gold.toml.
    rows : int
        Size of the sample stream.
    runs : int
        How often each of the two is timed, after one untimed run of each.
    brokers : str, optional
        A broker that does not have the sample's topics yet; an embedded one is started without it.

    Raises
    ------
    ArrowflowError
        If a run's rows are not the answer's.
    """
    sample = stream("production", rows=rows)
    expected: Mapping[str, Any] = answer("production", rows=rows)
    with tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as folder:
        broker = None if brokers else EmbeddedSpec(f"{folder}/broker").start([])
        bootstrap = brokers or (broker.bootstrap if broker else "")
        try:
            fill(bootstrap, sample)
            lakes = [f"{folder}/lake-{i}" for i in range(runs + 1)]
            pairs = [_pair(config, bootstrap, lake, sample.partitions, expected) for lake in lakes]
        finally:
            if broker is not None:
                broker.stop()
    return _report(pairs[1:], len(expected["windows"]))


def _pair(
    config: Path, bootstrap: str, lake: str, partitions: Mapping[str, int], expected: Mapping[str, Any]
) -> tuple[Timing, Timing]:
    bare = _timed(lambda: consume_all(bootstrap, partitions))
    env = {**os.environ, "ARROWFLOW_BROKERS": bootstrap, "ARROWFLOW_LAKE": lake}
    pipeline = load(config, env)
    job = _timed(lambda: start(pipeline, _CAUGHT_UP).result().balance.read)
    if job.records != bare.records:
        raise ArrowflowError(f"the job read {job.records} records, the bare loop {bare.records}")
    wrong = wrong_rows(expected, f"{lake}/gold/production")
    if wrong:
        raise ArrowflowError(f"the job's rows are not the answer's: {wrong[0]} (and {len(wrong) - 1} more)")
    return bare, job


def _timed(work: Callable[[], int]) -> Timing:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    records = work()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timing(records, wall, cpu)


def _report(pairs: list[tuple[Timing, Timing]], checked: int) -> Report:
    def median(pick: Callable[[tuple[Timing, Timing]], float]) -> float:
        return statistics.median(pick(pair) for pair in pairs)

    return Report(
        records=pairs[0][0].records,
        runs=len(pairs),
        consume_records_per_s=median(lambda pair: pair[0].records_per_s),
        consume_cpu_ns_per_record=median(lambda pair: pair[0].cpu_ns_per_record),
        job_records_per_s=median(lambda pair: pair[1].records_per_s),
        job_cpu_ns_per_record=median(lambda pair: pair[1].cpu_ns_per_record),
        ratio=median(lambda pair: pair[1].records_per_s / pair[0].records_per_s),
        rows_checked=checked,
        machine=f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    )
