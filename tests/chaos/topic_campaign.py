"""A job into topics of three brokers, while the job is killed and frozen and brokers die, freeze and hand over; then one answer.

As a command: ``python -m tests.chaos.topic_campaign --rounds 40 --seed 1`` (three real brokers: about 1.5 GB of memory).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

from tests.chaos.topic_job import TO_THE_END, job, wrong
from tests.realparts.three_brokers import KafkaCluster, Node

from arrowflow.engine import start

ROOT = Path(__file__).parents[2]
ACTIONS = ("kill job", "zombie", "kill leader", "stop leader", "freeze leader", "time-out", "abort")
TIMEOUT_S = 4.0
"""Of a transaction; a job that sleeps in one for longer finds it aborted."""


class Campaign:
    """One folder, two topics, one answer; processes and brokers come and go."""

    def __init__(self, cluster: KafkaCluster, folder: Path, rows: int, seed: int) -> None:
        self.cluster, self.folder, self.rows, self.dice = cluster, folder, rows, random.Random(seed)
        self.topic = f"alerts-{uuid.uuid4().hex[:8]}"
        for topic in (self.topic, f"{self.topic}.dead"):
            cluster.create_topic(topic, 3)
        self.ends: Counter[str] = Counter()

    def process(self, plan: str = "") -> subprocess.Popen:
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "ARROWFLOW_FAILPOINTS": plan}
        arguments = [str(self.folder), self.cluster.bootstrap, self.topic, str(self.rows), str(TIMEOUT_S)]
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.topic_job", *arguments], env=env, cwd=ROOT, stdout=log, stderr=log
            )

    def epochs(self) -> int:
        """How many records there are."""
        return sum(1 for _ in (self.folder / "log" / "manifests").rglob("*.json"))

    def progress(self, process: subprocess.Popen, more: int = 2, patience: float = 180) -> None:
        """Wait until the job has written a few records more, or has ended."""
        before, until = self.epochs(), time.monotonic() + patience
        while self.epochs() < before + more and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)

    def round(self, action: str) -> str:
        """Do one thing to a job at work and say how it ended."""
        points = ["kafka.begun", "kafka.mid_produce", "kafka.flushed", "kafka.offsets_sent", "kafka.commit"]
        point, hit = self.dice.choice(points), self.dice.randint(3, 9)
        plan = {"zombie": f"{point}:{hit}:stop", "time-out": f"{point}:{hit}:stop", "abort": f"{point}:{hit}:raise"}
        process = self.process(plan.get(action, ""))
        try:
            if action in ("zombie", "time-out"):
                return self._sleep(process, action)
            self.progress(process, self.dice.randint(1, 4))
            time.sleep(self.dice.uniform(0, 1.0))
            if action.endswith("leader"):
                self._disturb(action, self.cluster.leader(self.topic, self.dice.randrange(3)))
                self.progress(process)
            return "worked on" if process.poll() is None else f"ended with {process.returncode}"
        finally:
            process.kill()
            process.wait()

    def _sleep(self, process: subprocess.Popen, action: str) -> str:
        """Let a job sleep in its transaction: until another has worked, or until the cluster has given up on it."""
        if not _frozen(process):
            return f"never slept, ended with {process.returncode}"
        if action == "zombie":
            winner = self.process()
            self.progress(winner)
            winner.kill()
            winner.wait()
        else:
            time.sleep(TIMEOUT_S + 4)
        before = self.epochs()
        process.send_signal(signal.SIGCONT)
        if action == "zombie":
            return f"woke up, ended with {process.wait(300)}"
        self.progress(process)
        return f"woke up, {'went on' if self.epochs() > before else 'stood still'}"

    def _disturb(self, action: str, node: Node) -> None:
        if action == "freeze leader":
            node.freeze()
            time.sleep(self.dice.uniform(2, 9))
            node.thaw()
            return
        node.kill() if action == "kill leader" else node.stop()
        time.sleep(self.dice.uniform(0, 5))
        node.start(300.0)

    def finish(self) -> list[str]:
        start(job(self.folder, self.cluster.bootstrap, self.topic, self.rows, TIMEOUT_S), TO_THE_END).result()
        return wrong(self.folder, self.cluster.bootstrap, self.topic, self.rows)


def _frozen(process: subprocess.Popen) -> bool:
    """Wait until the process sleeps; False if it ended before it came there."""
    stat = Path(f"/proc/{process.pid}/stat")
    while process.poll() is None:
        if stat.read_text().rsplit(")", 1)[1].split()[0] == "T":
            return True
        time.sleep(0.05)
    return False


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=28)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--brokers", type=int, default=3)
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="arrowflow-topics-") as folder,
        KafkaCluster.launch(asked.brokers) as cluster,
    ):
        campaign = Campaign(cluster, Path(folder), asked.rows, asked.seed)
        for number in range(asked.rounds):
            action = ACTIONS[number % len(ACTIONS)]
            began, ended = time.monotonic(), campaign.round(action)
            print(
                f"round {number + 1:3d}: {action:14} {ended:28} {campaign.epochs():4d} records, {time.monotonic() - began:5.1f} s",
                flush=True,
            )
        left = campaign.epochs()
        faults = campaign.finish()
        print(
            f"{asked.rounds} rounds, seed {asked.seed}: {left} records before the last run, {campaign.epochs()} in all"
        )
        print("\n".join(faults) or "every row once, in both topics and the table; headers without a gap")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
