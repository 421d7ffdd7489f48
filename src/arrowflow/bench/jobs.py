"""A whole configuration beside a loop that only consumes, on the same broker in turn; every run's rows are the sample's answer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from arrowflow.bench.results import Line
from arrowflow.bench.rounds import Timed
from arrowflow.config import load
from arrowflow.config.problem import listed, shown
from arrowflow.engine import start
from arrowflow.errors import ArrowflowError, ConfigError
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.protocols import SampleStream
from arrowflow.samples import CONFIGS, answer, stream
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.sources.kafka.bare import consume_all
from arrowflow.sources.kafka.embedded import EmbeddedSpec, installed
from arrowflow.sources.kafka.filling import fill
from arrowflow.testing.answers import wrong_dead_letters, wrong_late_rows, wrong_rows

_CAUGHT_UP = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
_CHECKS: Mapping[str, Callable[[Mapping[str, Any], Path], list[str]]] = {
    "rows": wrong_rows,
    "late": wrong_late_rows,
    "dead": wrong_dead_letters,
}


def measure(config: Path, rows: int, runs: int, brokers: str | None = None) -> list[Line]:
    """Fill a broker once, then alternate the loop that only consumes and the whole job.

    Parameters
    ----------
    config : Path
        A configuration that ships with an answer, such as configs/gold.toml.
    rows, runs : int
        Size of its sample, and how often each of the two is timed, after one untimed run of each.
    brokers : str, optional
        A broker that does not have the sample's topics yet; an embedded one is started without it.

    Raises
    ------
    ConfigError
        For a configuration without a known answer.
    ArrowflowError
        If a run's rows, late rows or dead letters are not the answer's.
    """
    ready(config, brokers)
    name = config.stem
    sample = stream(CONFIGS[name], rows=rows)
    sheet: Mapping[str, Any] = answer(CONFIGS[name], rows=rows, config=name)
    bare, job, read, took = Timed[int](), Timed[int](), 0, 0
    with tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as folder, _filled(folder, sample, brokers) as at:
        for turn in range(runs + 1):
            lake = f"{folder}/lake-{turn}"
            env = {**os.environ, "ARROWFLOW_BROKERS": at, "ARROWFLOW_LAKE": lake}
            pipeline = load(config, env)
            read = (bare if turn else Timed[int]()).run(partial(consume_all, at, sample.partitions))
            took = (job if turn else Timed[int]()).run(partial(_run, pipeline))
            if read != took:
                raise ArrowflowError(f"the job read {took} records, the loop that only consumes {read}")
            _check(pipeline, sheet)
    told = f"{len(sheet['windows']):,} result rows, {len(sheet['late']):,} late, {len(sheet['dead_letters']):,} dead letters"
    share = sorted(theirs / ours for theirs, ours in zip(bare.wall_s, job.wall_s, strict=True))[runs // 2]
    return [
        Line("job", f"only consume {CONFIGS[name]}", read, tuple(bare.wall_s), tuple(bare.cpu_s), f"{read:,} records"),
        Line(
            "job", name, took, tuple(job.wall_s), tuple(job.cpu_s), told, figures={"of_consume_rate": round(share, 3)}
        ),
    ]


def ready(config: Path, brokers: str | None) -> None:
    """Raise `ConfigError` for what would fail only after minutes: a file without a known answer or with mistakes, no broker."""
    if config.stem not in CONFIGS:
        raise ConfigError(
            f"{shown(str(config))}: there is no answer to check it by; choose a file named after one of {listed(sorted(CONFIGS))}"
        )
    load(config, {**os.environ, "ARROWFLOW_BROKERS": brokers or "127.0.0.1:1"})
    if brokers is None:
        installed()


def _run(pipeline: Pipeline) -> int:
    return start(pipeline, _CAUGHT_UP).result().balance.read


def _check(pipeline: Pipeline, sheet: Mapping[str, Any]) -> None:
    for node in pipeline.sinks:
        if not (isinstance(node.spec, ParquetSpec) and node.stream in _CHECKS):
            continue
        if wrong := _CHECKS[node.stream](sheet, Path(node.spec.root)):
            raise ArrowflowError(
                f"{pipeline.name}: {node.stream} are not the answer's: {wrong[0]} (and {len(wrong) - 1} more)"
            )


@contextmanager
def _filled(folder: str, sample: SampleStream, brokers: str | None) -> Iterator[str]:
    """A broker that holds the sample, by its address."""
    broker = None if brokers else EmbeddedSpec(f"{folder}/broker").start([])
    at = broker.bootstrap if broker is not None else brokers or ""
    try:
        fill(at, sample)
        yield at
    finally:
        if broker is not None:
            broker.stop()
