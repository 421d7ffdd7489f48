"""The gold job with its lake in a bucket whose every answer takes a while, with helpers and without, answers checked.

``python -m bench.pipelining --rows 400000 --delay 0.08 --cadence 250ms``. The bucket is the strict fake (docs/gcs.md), the
broker the embedded one. The two kinds of run alternate; without helpers everything is done by one thread, one after
the other, as in a process that cannot overlap anything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.buckets import BUCKET, strict_fake

from arrowflow.config import load
from arrowflow.engine import start
from arrowflow.phases.defaults import ThisMachine
from arrowflow.pipeline import RunOptions
from arrowflow.samples import answer, stream
from arrowflow.sources.kafka.embedded import EmbeddedSpec
from arrowflow.sources.kafka.filling import fill
from arrowflow.testing.answers import wrong_rows
from arrowflow.testing.gcs import FakeGcs, Fault
from arrowflow.testing.machine import Alone

GOLD = Path(__file__).parents[1] / "configs" / "gold.toml"
CAUGHT_UP = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
MACHINES = {"alone": Alone, "helped": ThisMachine}


def main() -> None:
    """Print each run, and the medians as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=400_000)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--delay", type=float, default=0.08, help="seconds before each answer of the bucket")
    asked.add_argument("--cadence", default="250ms")
    given = asked.parse_args()
    sample, sheet = stream("production", rows=given.rows), answer("production", rows=given.rows)
    rates: dict[str, list[float]] = {name: [] for name in MACHINES}
    with tempfile.TemporaryDirectory(prefix="arrowflow-pipelining-") as folder:
        broker = EmbeddedSpec(f"{folder}/broker").start([])
        try:
            fill(broker.bootstrap, sample)
            for turn in range(given.runs + 1):  # the first pair is not counted: it compiles and warms up
                for name in MACHINES:
                    rate, epochs = _timed(name, broker.bootstrap, given, sheet)
                    print(f"{name:7} {rate:>10,.0f} records/s in {epochs} epochs" + ("" if turn else " (not counted)"))
                    rates[name] += [rate] if turn else []
        finally:
            broker.stop()
    alone, helped = (round(statistics.median(rates[name])) for name in MACHINES)
    asked_for = {"rows": given.rows, "delay_s": given.delay, "cadence": given.cadence, "cores": os.cpu_count()}
    print(json.dumps({**asked_for, "alone": alone, "helped": helped, "ratio": round(helped / alone, 2)}))


def _timed(name: str, brokers: str, given: argparse.Namespace, sheet: Mapping[str, object]) -> tuple[float, int]:
    """Run the job once in an empty bucket; records a second and how many epochs it took."""
    env = {"ARROWFLOW_BROKERS": brokers, "ARROWFLOW_LAKE": f"gs://{BUCKET}/af", "ARROWFLOW_CADENCE": given.cadence}
    with strict_fake() as fake:
        pipeline = load(GOLD, {**os.environ, **env})
        fake.arrange(Fault("delay", every=1, seconds=given.delay))
        began = time.perf_counter()
        done = start(pipeline, CAUGHT_UP, machine=MACHINES[name]()).result()
        seconds = time.perf_counter() - began
        _check(fake, sheet)
    return done.balance.read / seconds, done.epochs


def _check(fake: FakeGcs, sheet: Mapping[str, object]) -> None:
    with tempfile.TemporaryDirectory(prefix="arrowflow-pipelining-") as folder:
        wrong = wrong_rows(sheet, fake.dump(BUCKET, Path(folder)) / "af" / "gold" / "production")
    if wrong:
        raise SystemExit(f"the rows are not the answer's: {wrong[0]} (and {len(wrong) - 1} more)")


if __name__ == "__main__":
    main()
