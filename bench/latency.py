"""From a record's acknowledgement to the record of the log whose range contains its offset: ``python -m bench.latency``.

A real Kafka is started for it. A producer of its own process sends at a rate; the job, a process too, commits at a cadence. The broker's
acknowledgements are sampled where the producer hears them, the last record of each 2,000. When the log's record exists is read from
the job's protocol trace: the end of the call that created it. All three share the machine's monotonic clock. What is acknowledged in the first seconds,
while the job starts, is left out. The answer is checked: every record folded once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from bisect import bisect_right
from pathlib import Path

import numpy as np
from bench.real_job import TOPIC, Job, Running

GOAL_S = 1.5
_PARTITIONS = 4


def committed_ns(run: Running) -> dict[int, int]:
    """When the record of each epoch existed, by the monotonic clock."""
    begun: dict[tuple[str, int], int] = {}
    found = {}
    for line in run.protocol.read_text().splitlines():
        told = json.loads(line)
        call = told["run"], told["call"]
        if told.get("event") == "data.create":
            begun[call] = told["n"]
        elif call in begun and told["outcome"] == "made":
            found[begun[call]] = told["ended"]
    return found


def delays_s(job: Job, run: Running, acknowledged: list[tuple[int, int, int]], leave_out_s: float) -> np.ndarray:
    """Per sampled record the seconds from its acknowledgement to the record that contains it."""
    when = committed_ns(run)
    stops: dict[int, list[int]] = {partition: [] for partition in range(_PARTITIONS)}
    moments: dict[int, list[int]] = {partition: [] for partition in range(_PARTITIONS)}
    for manifest in job.records():
        for part in manifest.inputs:
            if manifest.epoch in when:
                stops[part.partition].append(part.stop)
                moments[part.partition].append(when[manifest.epoch])
    begin = min(moment for _, _, moment in acknowledged) + int(leave_out_s * 1e9)
    found = [
        (moments[partition][bisect_right(stops[partition], offset)] - moment) / 1e9
        for partition, offset, moment in acknowledged
        if moment >= begin
    ]
    return np.array(found)


def main() -> None:
    """Print one line of JSON; exit with 1 above the goal."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--rate", type=int, default=200_000)
    wanted.add_argument("--seconds", type=int, default=60)
    wanted.add_argument("--leave-out", type=float, default=10.0)
    wanted.add_argument("--cadence", default="1s")
    given = wanted.parse_args()
    from tests.realparts.kafka_broker import KafkaBroker

    with KafkaBroker.launch() as broker, tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as folder:
        broker.create_topic(TOPIC, _PARTITIONS)
        job = Job(Path(folder), broker.bootstrap, cadence=given.cadence)
        command = [
            sys.executable,
            "-m",
            "bench.producing",
            "--brokers",
            broker.bootstrap,
            "--partitions",
            str(_PARTITIONS),
        ]
        command += ["--records", str(given.rate * given.seconds), "--rate", str(given.rate), "--per-ms", "200"]
        with job.running() as run:
            run.wait_for("source.polled")
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            told = json.loads(done.stdout)
            while sum(part.stop for part in job.records()[-1].inputs) < told["records"]:
                run.wait_for("commit.created", run.passed("commit.created") + 1, 900)
            cpu_s, rss_mb = run.cpu_s(), run.memory_mb("VmHWM")
            run.stop()
        delays = delays_s(job, run, told["acknowledged"], given.leave_out)
        with job.running("--until-caught-up", "--close-open-windows") as last:
            last.finish()
        if job.results()[1:] != (told["records"], told["total"]):
            raise SystemExit(f"wrong answer: {job.results()}, not {told['records']} and {told['total']}")
    p50, p99 = np.percentile(delays, [50, 99])
    found = {
        "rate": given.rate, "seconds": given.seconds, "samples": len(delays), "p50_s": round(p50, 3), "p99_s": round(p99, 3),
        "max_s": round(delays.max(), 3), "goal_s": GOAL_S, "producer_behind_s": round(told["behind_s"], 3),
        "job_cpu_s": round(cpu_s, 1), "job_rss_mb": rss_mb, "answer": "right",
    }  # fmt: skip
    print(json.dumps(found))
    sys.exit(0 if p99 <= GOAL_S else f"p99 is above {GOAL_S} s")


if __name__ == "__main__":
    main()
