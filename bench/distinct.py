"""Fifty million distinct keys through a state that stays bounded: ``python -m bench.distinct``.

A real Kafka is started for it. Every record has a key of its own; windows of a few seconds of event time close as they go, so the state holds
the keys of the open ones only, and an epoch ends when it has opened as many as `limits.memory` lets wait. The resident set of the job is sampled once a second: its median over the last tenth of the run stands beside
that over the second tenth. The answer is checked: as many rows as keys, counts and sums as produced.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.real_job import TOPIC, Job, Running

_PER_MS, _WINDOW = 100, "5s"


def produce(brokers: str, records: int) -> int:
    """Fill the topic; the sum of the values."""
    command = [
        sys.executable,
        "-m",
        "bench.producing",
        "--brokers",
        brokers,
        "--records",
        str(records),
        "--keys",
        str(records),
    ]
    done = subprocess.run(
        [*command, "--per-ms", str(_PER_MS), "--partitions", "1", "--number-keys"],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(json.loads(done.stdout)["total"])


def watched(run: Running, job: Job, records: int) -> list[int]:
    """The resident set once a second until the log holds every record of the topic."""
    sizes: list[int] = []
    epochs = 0
    while True:
        sizes.append(run.memory_mb())
        if (passed := run.passed("commit.created")) > epochs:
            epochs = passed
            if sum(part.stop for part in job.records()[-1].inputs) == records:
                return sizes
        run.must_live(3600)
        time.sleep(1.0)


def main() -> None:
    """Print one line of JSON."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--keys", type=int, default=50_000_000)
    wanted.add_argument("--memory", default="1GiB", help="limits.memory of the job")
    given = wanted.parse_args()
    from tests.realparts.kafka_broker import KafkaBroker

    with KafkaBroker.launch() as broker, tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as folder:
        broker.create_topic(TOPIC, 1)
        total = produce(broker.bootstrap, given.keys)
        job = Job(Path(folder), broker.bootstrap, window=_WINDOW, kind="int64", memory=given.memory)
        began = time.monotonic()
        with job.running() as run:
            sizes = watched(run, job, given.keys)
            seconds, peak, cpu_s = time.monotonic() - began, run.memory_mb("VmHWM"), run.cpu_s()
            run.stop()
        with job.running("--until-caught-up", "--close-open-windows") as last:
            last.finish()
        if job.results() != (given.keys, given.keys, total):
            raise SystemExit(f"wrong answer: {job.results()}, not {given.keys} rows and {total}")
    tenth = max(1, len(sizes) // 10)
    early, late = statistics.median(sizes[tenth : 2 * tenth] or sizes), statistics.median(sizes[-tenth:])
    found = {
        "keys": given.keys, "memory": given.memory, "open_at_once": _PER_MS * 5000, "seconds": round(seconds, 1), "cpu_s": round(cpu_s, 1),
        "early_mb": early, "late_mb": late, "peak_mb": peak, "answer": "right",
    }  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
