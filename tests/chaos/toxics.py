"""A job behind a network that misbehaves: every toxic between the engine and a broker; ``python -m tests.chaos.toxics`` tries all.

The broker is the embedded one. Each toxic is there from the beginning; those under which nothing can ever arrive are
taken out again once they have had their effect.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns.results import append
from tests.realparts.kafka_broker import Row, Topics
from tests.support.small import pipeline, results

from arrowflow.engine import start
from arrowflow.errors import RetryableError
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.sources.kafka.embedded import EmbeddedSpec
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing import proxy as toxic
from arrowflow.testing.proxy import Proxy, Toxic

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True)
IMPATIENT = {"socket.timeout.ms": "2000", "reconnect.backoff.ms": "50", "reconnect.backoff.max.ms": "200"}
ROWS = 400
_STARTS = 10


@dataclass(frozen=True)
class Case:
    """Toxics, and for how many seconds; None for the whole run."""

    toxics: tuple[Toxic, ...]
    seconds: float | None = None
    in_the_middle: bool = False
    """Whether they begin once the run has connected, not before."""
    patient: bool = False
    """Whether the client has its own default time-outs, not ours of two seconds."""


CASES = {
    "latency": Case((toxic.Latency(seconds=0.05, jitter_s=0.1),)),
    "bandwidth": Case((toxic.Bandwidth(bytes_per_s=40_000),)),
    "single bytes": Case((toxic.Slicer(size=1),)),
    "a second of latency": Case((toxic.Latency(way="down", seconds=1.0),), patient=True),
    "slow close": Case((toxic.SlowClose(seconds=0.5), toxic.LimitData(way="down", limit=30_000)), 4.0),
    "timeout": Case((toxic.Timeout(seconds=0.5),), 3.0),
    "reset": Case((toxic.ResetPeer(way="down"),), 2.0, in_the_middle=True),
    "limit data": Case((toxic.LimitData(limit=3_000),), 3.0),
    "down": Case((toxic.Down(),), 2.0, in_the_middle=True),
    "half-open": Case((toxic.HalfOpen(),), 4.0, in_the_middle=True),
    "half-open downwards": Case((toxic.HalfOpen(way="down"),), 4.0),
    "all at once": Case((toxic.Latency(seconds=0.01), toxic.Slicer(size=200), toxic.Bandwidth(bytes_per_s=80_000))),
}


def tried(topics: Topics, case: Case, folder: Path) -> tuple[list[str], Proxy]:
    """Run the job over a fresh topic behind the toxics; returns what is wrong, and the proxy as it was left."""
    topic = topics.create_topic(f"toxic-{uuid.uuid4()}", 2)
    rows = [(f"k{i % 7}", 3 * i // 2, float(i)) for i in range(ROWS)]
    topics.produce(topic, [Row(i % 2, k.encode(), _json(k, t, v), 1000 * t) for i, (k, t, v) in enumerate(rows)])
    with Proxy(topics.bootstrap, rewrite=True) as between:
        if not case.in_the_middle:
            between.toxics = case.toxics
        spec = KafkaSpec(between.address, (topic,), fetch="client", properties={} if case.patient else IMPATIENT)
        healer = threading.Thread(target=_later, args=(between, case), daemon=True)
        healer.start()
        _to_the_end(pipeline(folder, spec, max_slice_rows=40, max_epoch_rows=80))
        healer.join()
    counts = Counter((k, t // 10 * 10) for k, t, _ in rows)
    sums = {name: sum(v for k, t, v in rows if (k, t // 10 * 10) == name) for name in counts}
    wanted = sorted((*name, n, sums[name]) for name, n in counts.items())
    found = results(folder)
    return ([] if found == wanted else [f"wanted {len(wanted)} windows, found {len(found)}, not the same"]), between


def _to_the_end(job: Pipeline) -> None:
    """Run, and start again where a run ends with exit code 3, as a supervisor does: a start asks only once."""
    for _ in range(_STARTS - 1):
        try:
            start(job, TO_THE_END).result()
        except RetryableError:
            time.sleep(0.2)
        else:
            return
    start(job, TO_THE_END).result()


def _later(between: Proxy, case: Case) -> None:
    """Put toxics in, or take them out, when their time has come."""
    if case.in_the_middle:
        _until(lambda: between.connections > 0)
        between.toxics = case.toxics
        between.cut() if isinstance(case.toxics[0], toxic.Down) else None
    if case.seconds is not None:
        time.sleep(case.seconds)
        between.toxics = ()


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def _json(key: str, second: int, value: float) -> bytes:
    return f'{{"k": "{key}", "t": {second}, "v": {value}}}'.encode()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--results", type=Path, help="a file of JSON lines to append to")
    results, broken = options.parse_args().results, 0
    with tempfile.TemporaryDirectory(prefix="arrowflow-toxics-") as scratch:
        broker = EmbeddedSpec(f"{scratch}/broker").start(())
        try:
            for name, case in CASES.items():
                began = time.monotonic()
                wrong, between = tried(Topics(broker.bootstrap), case, Path(scratch) / name.replace(" ", "-"))
                broken += bool(wrong)
                append(results, "toxic", name=name, connections=between.connections, wrong=wrong)
                outcome = "; ".join(wrong) or "equal"
                took = time.monotonic() - began
                print(f"{name:<20} {outcome}, {between.connections} connections, {took:.1f} s", flush=True)
        finally:
            broker.stop()
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
