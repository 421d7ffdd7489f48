"""Ten times the load for some seconds: how far the job falls behind, and when it has caught up again.

A process of its own produces at a steady rate, ten times as fast for a while, and steadily again. The job follows with a cadence of a
second. What has been produced less what has been committed is the lag; its answer is checked when all has been read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from bench.sweeps.telegrams import PARTITIONS, job, produce, telegram, wait_for, wrong
from confluent_kafka import Producer
from tests.realparts.kafka_broker import KafkaBroker

from arrowflow.bench.results import Line
from arrowflow.bench.rounds import Timed
from arrowflow.engine import start
from arrowflow.errors import RetryableError
from arrowflow.events import Committed, Started
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.testing.conformance.sources import source_context

BYTES = 150
_CADENCE_S = 1.0
_PATIENCE_S = 300.0
Plan = list[tuple[int, float]]
"""Records a second, and for how many seconds, one after the other."""
Course = list[tuple[float, int]]
"""When, by the monotonic clock, and how many records by then."""


class Told:
    """An observer that writes down when how many records were committed."""

    def __init__(self) -> None:
        self.course: Course = []
        self.started = False

    def notice(self, event: object) -> None:
        if isinstance(event, Started):
            self.started = True
        elif isinstance(event, Committed):
            before = self.course[-1][1] if self.course else 0
            self.course.append((time.monotonic(), before + event.manifest.balance.read))

    @property
    def records(self) -> int:
        return self.course[-1][1] if self.course else 0


def spike(rate: int, runs: int, *, quick: bool) -> Iterator[Line]:
    """`rate` records a second, ten times that for some seconds, and `rate` again until all is calm."""
    calm, high, after = (1.0, 1.0, 2.0) if quick else (4.0, 4.0, 8.0)
    for turn in range(1 if quick else max(1, runs - 1)):
        with tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as scratch, KafkaBroker.launch() as broker:
            broker.create_topic("spike", PARTITIONS)
            yield one(broker.bootstrap, Path(scratch), [(rate, calm), (10 * rate, high), (rate, after)], turn)


def one(bootstrap: str, scratch: Path, plan: Plan, turn: int) -> Line:
    """One spike: a rate for so many seconds, a higher one, and the first again, on the empty topic ``spike``."""
    pipeline, told, timed = job(bootstrap, "spike", scratch, cadence_s=_CADENCE_S), Told(), Timed[Course]()
    wait_for("electing leaders", lambda: _answers(pipeline), _PATIENCE_S)
    follow = start(pipeline, RunOptions(take_over=True), observer=told)
    wait_for("the start", lambda: told.started or follow.wait(0), _PATIENCE_S)
    produced: Course = timed.run(lambda: _produced(bootstrap, plan))
    total = produced[-1][1]
    wait_for("reading what was produced", lambda: told.records == total or follow.wait(0), _PATIENCE_S)
    follow.stop()
    follow.result()
    start(pipeline, RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)).result()
    if different := wrong(scratch, total):
        raise SystemExit(f"spike: {different}")
    figures, points = judged(produced, told.course, plan)
    answer = f"windows of {total:,} telegrams equal to plain arithmetic"
    name = f"{plan[0][0]:,} a second, {plan[1][0]:,} for {plan[1][1]:g} s, run {turn + 1}"
    return Line("spike", name, total, tuple(timed.wall_s), tuple(timed.cpu_s), answer, figures=figures, points=points)


def judged(produced: Course, course: Course, plan: Plan) -> tuple[dict[str, float], tuple[tuple[float, float], ...]]:
    """What the lag was: its peak, when it was small again after the spike, and its course in some two hundred points.

    Small is what a calm job has not committed yet: two cadences at the steady rate.
    """
    total, began = produced[-1][1], produced[0][0]
    high_ends, bound = began + plan[0][1] + plan[1][1], 2 * plan[0][0] * _CADENCE_S
    lag = [(at, count - committed(course, at)) for at, count in produced]
    lag += [(at, max(0, total - count)) for at, count in course if at > produced[-1][0]]
    behind = [at for at, records in lag if at > high_ends and records > bound]
    figures = {
        "rate_per_s": float(plan[0][0]),
        "reached_rate_per_s": round(_highest(produced), 0),
        "peak_lag_records": float(max(records for _, records in lag)),
        "caught_up_after_s": round(max(behind, default=high_ends) - high_ends, 2),
    }
    return figures, tuple((round(at - began, 2), float(records)) for at, records in lag[:: max(1, len(lag) // 200)])


def _answers(pipeline: Pipeline) -> bool:
    """Whether the leaders of a topic made a moment ago know that they are."""
    source = pipeline.source.spec.build("kafka", source_context("bench"))
    try:
        source.discover()
    except RetryableError:
        return False
    else:
        return True
    finally:
        source.close()


def committed(course: Course, at: float) -> int:
    """How many records were committed by a moment."""
    place = bisect_right(course, (at, sys.maxsize))
    return course[place - 1][1] if place else 0


def _highest(produced: Course) -> float:
    """The highest rate over a second that was really produced."""
    best, first = 0.0, 0
    for last in range(1, len(produced)):
        while produced[last][0] - produced[first][0] > 1.0:
            first += 1
        seconds = produced[last][0] - produced[first][0]
        best = max(best, (produced[last][1] - produced[first][1]) / seconds if seconds > 0.5 else 0.0)
    return best


def _produced(bootstrap: str, plan: Plan) -> Course:
    """Produce in a process of its own, so that the job has this interpreter to itself."""
    command = [sys.executable, "-m", "bench.sweeps.spike", "--brokers", bootstrap, "--plan", json.dumps(plan)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE_S)
    return [(at, count) for at, count in json.loads(done.stdout)]


def pace(bootstrap: str, plan: Plan) -> Course:
    """Produce by plan: so many a second for so long, one after the other, in steps of a fiftieth of a second."""
    settings = {"compression.type": "lz4", "linger.ms": 10, "queue.buffering.max.messages": 2_000_000}
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **settings})
    ready = [telegram(number, BYTES) for number in range(int(sum(rate * seconds for rate, seconds in plan)))]
    course: Course = [(time.monotonic(), 0)]
    due, number = course[0][0], 0
    for rate, seconds in plan:
        for _ in range(round(seconds * 50)):
            for _ in range(rate // 50):
                produce(producer, "spike", number, ready[number])
                number += 1
            producer.poll(0)
            course.append((time.monotonic(), number))
            due += 0.02
            threading.Event().wait(max(0.0, due - time.monotonic()))
    if producer.flush(120):
        raise SystemExit("the broker did not take every record")
    return [*course, (time.monotonic(), number)]


if __name__ == "__main__":
    wanted = argparse.ArgumentParser(description="produces by plan; started by the sweep")
    wanted.add_argument("--brokers", required=True)
    wanted.add_argument("--plan", required=True, type=json.loads)
    given = wanted.parse_args()
    print(json.dumps(pace(given.brokers, given.plan)))
