"""The main job on a real Kafka while records keep arriving: killed, frozen, restarted; then held against the answer.

As a command: ``python -m tests.chaos.kafka_campaign --kills 30 --zombies 8 --seed 1``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Producer
from tests.campaigns.results import append
from tests.chaos.victim import GOLD, ROOT, Victim
from tests.realparts.kafka_broker import KafkaBroker
from tests.support.followed import follower_in

from arrowflow.protocols import SampleStream
from arrowflow.samples import answer, stream
from arrowflow.testing.answers import wrong_dead_letters, wrong_late_rows, wrong_rows

CADENCE = "250ms"
_RESERVE, _TRICKLE = 3000, 8
"""When so few records are left they come at so few a second: on a slow machine the topic never falls silent."""


@dataclass
class Campaign:
    """One lake, one topic, one answer; processes come and go."""

    folder: Path
    bootstrap: str
    sample: SampleStream
    sheet: dict
    dice: random.Random
    victims: list[Victim] = field(default_factory=list)

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def start(self, *flags: str, failpoints: str = "") -> Victim:
        env = {"ARROWFLOW_BROKERS": self.bootstrap, "ARROWFLOW_LAKE": str(self.lake), "ARROWFLOW_CADENCE": CADENCE}
        env["ARROWFLOW_TRACE_PROTOCOL"] = str(self.protocol)
        victim = Victim(self.folder / f"run-{len(self.victims):03d}", GOLD, *flags, env=env, failpoints=failpoints)
        self.victims.append(victim)
        return victim

    @property
    def protocol(self) -> Path:
        """The trace of all runs; read it before the folder goes."""
        return self.folder / "protocol"

    def data_epochs(self) -> int:
        # Folders beside these come and go, as collecting leaves no empty ones.
        logs = (self.lake / "_arrowflow").glob("*/manifests")
        records = [record for log in logs for record in log.rglob("*.json")]
        return sum(json.loads(record.read_bytes())["kind"] == "data" for record in records)

    def wrong(self) -> list[str]:
        return [
            *wrong_rows(self.sheet, self.lake / "gold" / "production"),
            *wrong_late_rows(self.sheet, self.lake / "_late" / "gold_production"),
            *wrong_dead_letters(self.sheet, self.lake / "_dead" / "gold_production"),
        ]


class Arrivals(threading.Thread):
    """Produces the sample slowly, and the rest at once when told that the campaign is over."""

    def __init__(self, bootstrap: str, sample: SampleStream, per_second: float) -> None:
        super().__init__(daemon=True)
        self.sample, self.per_second, self.hurry = sample, per_second, threading.Event()
        self.left = sum(1 for _ in sample.records())
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5})

    def run(self) -> None:
        for record in self.sample.records():
            while True:
                with contextlib.suppress(BufferError):
                    self.producer.produce(
                        record.topic, record.value, record.key,
                        partition=record.partition, timestamp=record.timestamp_ms,
                    )  # fmt: skip
                    break
                self.producer.poll(0.1)
            self.producer.poll(0)
            self.left -= 1
            if not self.hurry.is_set():
                time.sleep(1 / (self.per_second if self.left > _RESERVE else _TRICKLE))
        self.producer.flush()


@contextlib.contextmanager
def watched(campaign: Campaign) -> Iterator[dict]:
    """A reader looks at the table all along; the report is filled in at the end."""
    sheet, out, stop = (campaign.folder / name for name in ("answer.json", "reader.json", "reader.stop"))
    sheet.write_text(json.dumps(campaign.sheet))
    root = campaign.lake / "gold" / "production"
    reader = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.lake_reader", *map(str, (root, sheet, out, stop))],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, cwd=ROOT,
    )  # fmt: skip
    report: dict = {}
    try:
        yield report
        stop.touch()
        reader.wait(180)
        report.update(json.loads(out.read_text()))
    finally:
        reader.kill()
        reader.wait()
        for victim in campaign.victims:
            victim.close()


def kill_at_random(campaign: Campaign, kills: int, in_flight: int = 0) -> list[tuple[str, bool]]:
    """Start, kill with SIGKILL at a random instant, again; return the last point of each and if it was in flight.

    Goes on beyond `kills`, at most half as many again, until `in_flight` of them had an epoch in flight.
    """
    deaths: list[tuple[str, bool]] = []
    while len(deaths) < kills or (sum(flying for _, flying in deaths) < in_flight and len(deaths) < 1.5 * kills):
        n = len(deaths)
        victim = campaign.start("--take-over")
        if n % 8 == 7:  # also while starting: imports, recovery, take-over
            time.sleep(campaign.dice.uniform(0.5, 4.0))
        else:
            victim.wait_for_commit()
            time.sleep(campaign.dice.uniform(0.0, 2.5))
        victim.kill()
        deaths.append((victim.last_point, victim.in_flight))
        print(
            f"kill {n + 1:2d}: {victim.commits:3d} commits, last point {victim.last_point}, in flight: {victim.in_flight}"
        )
    return deaths


def run_until(campaign: Campaign, epochs: int, timeout: float = 600) -> None:
    """Let one run live until the log holds so many committed epochs, then kill it too."""
    victim = campaign.start("--take-over")
    until = time.monotonic() + timeout
    while campaign.data_epochs() < epochs:
        if time.monotonic() > until or victim.process.poll() is not None:
            raise AssertionError(f"{campaign.data_epochs()} of {epochs} epochs after {timeout} s:\n{victim.output}")
        time.sleep(0.5)
    victim.kill()


def freeze_and_fence(campaign: Campaign, zombies: int) -> list[tuple[str, int]]:
    """Freeze a writer, let another take over and work, thaw the first; return where it froze and how it ended."""
    points = ["commit.before:3:stop", "commit.created:3:stop", "publish.before:3:stop", "kernel.done:4:stop", ""]
    ends = []
    for n in range(zombies):
        plan = points[n % len(points)]
        zombie = campaign.start("--take-over", failpoints=plan)
        if plan:
            zombie.wait_frozen()
        else:
            zombie.wait_for_commit(2)
            time.sleep(campaign.dice.uniform(0.0, 0.5))
            zombie.freeze()
        froze = zombie.last_point
        winner = campaign.start("--take-over")
        winner.wait_for_commit(2)
        zombie.thaw()
        code = zombie.end(180)
        winner.kill()
        ends.append((froze, code))
        print(f"zombie {n + 1}: frozen at {froze}, ended with exit code {code}")
    return ends


def finish(campaign: Campaign, arrivals: Arrivals) -> None:
    """Let everything arrive, then run the job to its end."""
    arrivals.hurry.set()
    arrivals.join(300)
    last = campaign.start("--take-over", "--until-caught-up", "--close-open-windows")
    code = last.end(600)
    if code != 0:
        raise AssertionError(f"the last run ended with {code}:\n{last.output}")


@contextlib.contextmanager
def campaign_on(broker: KafkaBroker, folder: Path, *, rows: int, seed: int) -> Iterator[tuple[Campaign, Arrivals]]:
    """A fresh topic that fills up slowly, and an empty lake."""
    sample = stream("production", rows=rows, seed=seed)
    for topic, partitions in sample.partitions.items():
        broker.create_topic(topic, partitions, {"retention.ms": "-1"})
    campaign = Campaign(
        folder, broker.bootstrap, sample, answer("production", rows=rows, seed=seed), random.Random(seed)
    )
    arrivals = Arrivals(broker.bootstrap, sample, per_second=100)
    arrivals.start()
    try:
        yield campaign, arrivals
    finally:
        for topic in sample.partitions:
            broker.delete_topic(topic)


def strange_protocol(campaign: Campaign) -> list[str]:
    """What the runs did and the model of the commit protocol cannot do."""
    follower = follower_in(campaign.folder)
    if follower is None:
        print("the protocol trace was not followed: SPIN is not installed")
        return []
    followed = follower.follow([campaign.protocol])
    print(
        f"{followed.runs} runs made {followed.calls} calls; through {followed.lenses} lenses {len(followed.refused)} refused"
    )
    print("\n".join(followed.refused))
    return followed.refused


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=30)
    options.add_argument("--zombies", type=int, default=8)
    options.add_argument("--rows", type=int, default=60_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--results", type=Path, help="a file of JSON lines to append to")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="arrowflow-campaign-") as folder, KafkaBroker.launch() as broker:
        sys.exit(run_campaign(broker, Path(folder), asked))


def run_campaign(broker: KafkaBroker, folder: Path, asked: argparse.Namespace) -> int:
    """Kill, freeze, finish, report; return the exit code."""
    with campaign_on(broker, folder, rows=asked.rows, seed=asked.seed) as (campaign, arrivals):
        with watched(campaign) as report:
            deaths = kill_at_random(campaign, asked.kills)
            run_until(campaign, epochs=200)
            ends = freeze_and_fence(campaign, asked.zombies)
            finish(campaign, arrivals)
        print(f"{sum(flying for _, flying in deaths)} of {len(deaths)} kills had an epoch in flight after a commit")
        print(f"{campaign.data_epochs()} epochs committed; reader: {report}")
        wrong = campaign.wrong()
        strange = strange_protocol(campaign)
        append(
            asked.results,
            "kills",
            seed=asked.seed,
            kills=len(deaths),
            in_flight=sum(flying for _, flying in deaths),
            zombies=len(ends),
            fenced=sum(code == 7 for _, code in ends),
            epochs=campaign.data_epochs(),
            looks=sum(report["looks"].values()),
            wrong=[*wrong, *report["violations"]],
        )
        print("\n".join(wrong) or "every row is the answer's, once, late rows and dead letters included")
        return int(bool(wrong or strange or report["violations"]))


if __name__ == "__main__":
    main()
