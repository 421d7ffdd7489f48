"""Start to first fetch on a real Kafka, without state and after a kill with open groups, and memory: ``python -m bench.startup``.

A run counts as started when the first fetch has returned with records. Kernels are cached by a run before the first that counts. With
``--groups`` a run then opens so many groups in one window, is killed, and the time of the next start includes the restore; after it a run
folds what comes at a steady rate, each group again, which is when its resident set is looked at. The answer is checked at the end: each
group once, counts and sums as produced. Beside the seconds of the clock stand those of the processor, which other processes do not lengthen.
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
RATE, STEADY_S, SETTLED_S = 200_000, 15, 5
"""Records a second while memory is looked at, for how long, and after how many seconds it counts as steady."""


def producer(brokers: str, records: int, keys: int, rate: int = 0) -> subprocess.Popen[str]:
    """Produce records in a process of its own, as fast as possible or at a rate."""
    command = [sys.executable, "-m", "bench.producing", "--brokers", brokers, "--records", str(records)]
    # All in one hour of event time, so that nothing closes.
    told = [*command, "--keys", str(keys), "--per-ms", str(max(1, records // 1_000_000)), "--rate", str(rate)]
    return subprocess.Popen(told, stdout=subprocess.PIPE, text=True)


def summed(producing: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for a producer; what its records add up to."""
    said = producing.communicate()[0]
    if producing.returncode:
        raise SystemExit("the producer failed")
    return dict(json.loads(said))


def produce(brokers: str, records: int, keys: int) -> dict[str, float]:
    """Produce as fast as possible; what the records add up to."""
    return summed(producer(brokers, records, keys))


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


def read_all(run: Running, job: Job, records: int) -> list[tuple[float, int]]:
    """Wait until the log holds so many records of the topic; resident sets seen meanwhile: seconds since the start, MB."""
    seen, epochs = [], 0
    while True:
        seen.append((time.monotonic() - run.began, run.memory_mb()))
        if run.passed("commit.created") > epochs:
            epochs = run.passed("commit.created")
            if sum(part.stop for part in job.records()[-1].inputs) == records:
                return seen
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
            opening = max(mb for _, mb in read_all(run, job, given.groups))
            run.kill()
        produced.append(produce(broker.bootstrap, given.groups, given.groups))
        recoveries = starts(job, given.times)
        least = min(wall for wall, _ in recoveries)
        told = {"groups": given.groups, "recoveries": recoveries, "least_s": least, "goal_s": GOALS_S["recovery"]}
        print(json.dumps(told))
        with job.running() as run:
            read_all(run, job, 2 * given.groups)  # what came meanwhile, as fast as it can
            backlog = run.memory_mb("VmHWM")
            run.stop()
        with job.running() as run:
            producing = producer(broker.bootstrap, RATE * STEADY_S, given.groups, RATE)
            seen = read_all(run, job, 2 * given.groups + RATE * STEADY_S)
            steady = sorted(mb for second, mb in seen if second > SETTLED_S)
            produced.append(summed(producing))
            told = {
                "opening_mb": opening, "backlog_mb": backlog, "steady_mb": steady[len(steady) // 2],
                "steady_most_mb": steady[-1], "with_start_mb": max(mb for _, mb in seen), "rate": RATE, "goal_mb": GOAL_MB,
                "behind_s": round(produced[-1]["behind_s"], 2),
            }  # fmt: skip
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
