"""Start to first fetch on a real Kafka, without state and after a kill with open groups, and memory: ``python -m bench.startup``.

A run counts as started when the first fetch has returned with records. Kernels are cached by a run before the first that counts. With
``--groups`` a run then opens so many groups in one window, is killed, and the time of the next start includes the restore; after it a run
folds every group again, at a steady cadence, which is when its resident set is looked at. The answer is checked at the end: each group
once, counts and sums as produced. Beside the seconds of the clock stand those of the processor, which other processes do not lengthen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.real_job import TOPIC, Job, Running

GOALS_S = {"start": 2.0, "recovery": 5.0}
GOAL_MB = 512


def produce(brokers: str, records: int, keys: int) -> dict[str, int]:
    """Produce records in a process of its own; what they add up to."""
    command = [sys.executable, "-m", "bench.producing", "--brokers", brokers, "--records", str(records)]
    # All in one hour of event time, so that nothing closes.
    told = [*command, "--keys", str(keys), "--per-ms", str(max(1, records // 1_000_000))]
    done = subprocess.run(told, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def first_fetch(run: Running) -> tuple[float, float]:
    """Seconds of the clock and of the processor from the start of a process to its first fetch."""
    wall = run.wait_for("source.polled")
    return round(wall, 2), round(run.cpu_s(), 2)


def starts(job: Job, times: int) -> list[tuple[float, float]]:
    """Starts that have records to fetch and are killed before they commit, so that each is like the one before."""
    found = []
    for turn in range(times + 1):
        with job.running() as run:
            taken = first_fetch(run)
            run.kill()
        if turn:  # the first fills the cache of kernels
            found.append(taken)
    return found


def read_all(run: Running, job: Job, records: int) -> int:
    """Wait until the log holds so many records of the topic; the largest resident set seen meanwhile, in MB."""
    largest = epochs = 0
    while True:
        largest = max(largest, run.memory_mb())
        if run.passed("commit.created") > epochs:
            epochs = run.passed("commit.created")
            if sum(part.stop for part in job.records()[-1].inputs) == records:
                return largest
        run.must_live(600)
        time.sleep(0.1)


def main() -> None:
    """Print one line of JSON a part."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--times", type=int, default=5)
    wanted.add_argument("--groups", type=int, default=1_000_000)
    given = wanted.parse_args()
    from tests.realparts.kafka_broker import KafkaBroker

    with KafkaBroker.launch() as broker, tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as folder:
        broker.create_topic(TOPIC, 4)
        produced = [produce(broker.bootstrap, given.groups, given.groups)]
        job = Job(Path(folder), broker.bootstrap, window="1h")
        taken = starts(job, given.times)
        least = min(wall for wall, _ in taken)
        print(json.dumps({"starts": taken, "least_s": least, "goal_s": GOALS_S["start"]}))
        with job.running() as run:
            opening = read_all(run, job, given.groups)
            run.kill()
        produced.append(produce(broker.bootstrap, given.groups, given.groups))
        recoveries = starts(job, given.times)
        least = min(wall for wall, _ in recoveries)
        told = {"groups": given.groups, "recoveries": recoveries, "least_s": least, "goal_s": GOALS_S["recovery"]}
        print(json.dumps(told))
        produced.append(produce(broker.bootstrap, given.groups, given.groups))
        with job.running() as run:
            steady = read_all(run, job, 3 * given.groups)
            told = {"opening_mb": opening, "steady_mb": steady, "peak_mb": run.memory_mb("VmHWM"), "goal_mb": GOAL_MB}
            print(json.dumps(told))
            run.stop()
        with job.running("--until-caught-up", "--close-open-windows") as run:
            run.finish()
        answer = (given.groups, sum(each["records"] for each in produced), sum(each["total"] for each in produced))
        if job.results() != answer:
            raise SystemExit(f"wrong answer: {job.results()}, not {answer}")
        print("answer: right")


if __name__ == "__main__":
    main()
