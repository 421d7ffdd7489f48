"""One interleaved run of every engine on the same topics, every answer compared. Decides nothing about what is printed.

Each engine has two kinds of runs. *Cold* ones go from the start of a process to its end. For *warm* ones the process is
there already and has done each job once, so the start of an interpreter or of a JVM, and most of its compiling, are behind
it. Warm runs come in two sizes; what lies between them is the time of the records alone (`report.py`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from bench.fetch import build_c
from bench.peers import data, kits, oracle, topics
from bench.peers.kits import Kit, KitUnavailable
from bench.peers.ways import ARROWFLOW, HERE, Way
from bench.peers.worker import Worker, WorkerFailed
from tests.realparts.kafka_broker import Topics

ROOT = HERE.parents[1]
PATH = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
SLOW_ROUNDS = 3  # of who is too slow for the whole topic
READ = "read"  # the job of the C program
OPENED = (
    "java.lang",
    "java.net",
    "java.io",
    "java.nio",
    "sun.nio.ch",
    "java.lang.reflect",
    "java.text",
    "java.time",
    "java.util",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is run.

    Records of the whole topics, of the part that is taken off, of the long one that arrowflow and the C program alone read, and
    of the bit that is taken off the part for who is too slow for the whole.
    """

    records: int
    part: int
    long: int
    bit: int
    rounds: int
    cold_rounds: int
    jobs: tuple[str, ...]
    timeout_s: float = 900.0

    def sizes(self, stream: str) -> dict[str, int]:
        """The topics of a stream by size."""
        found = {"whole": self.records, "part": self.part} | ({"bit": self.bit} if self.bit else {})
        return found | ({"long": self.long} if self.long and stream == "steady" else {})


@dataclass(slots=True)
class Bench:
    """A broker, its topics with their answers, and what was measured so far."""

    plan: Plan
    ways: list[Way]
    broker: Topics
    folder: Path
    say: Callable[[str], None]
    kits: dict[str, Kit | None] = field(default_factory=dict)
    program: list[str] | None = None
    topics: dict[str, topics.Filled] = field(default_factory=dict)
    answers: dict[tuple[str, str], pa.Table] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    runs: list[dict[str, object]] = field(default_factory=list)
    serial: int = 0

    def takes_part(self, way: Way, job: str) -> bool:
        """Whether there is anything to time."""
        return way.name not in self.left_out and job in way.jobs and f"{way.name} {job}" not in self.wrong


def install(bench: Bench, c_program: bool) -> None:
    """Make every kit; who has none is left out, with the reason."""
    for way in bench.ways:
        bench.say(f"kit of {way.name}")
        try:
            bench.kits[way.name] = kits.make(way.kit) if way.kit else None
        except KitUnavailable as reason:
            bench.left_out[way.name] = str(reason)
            bench.say(f"  left out: {reason}")
    if not c_program:
        bench.left_out["C"] = "not asked for"
        return
    include = kits.header()
    bench.program = build_c(str(bench.folder), str(include)) if include else None
    if bench.program is None:
        bench.left_out["C"] = "no compiler, or no header of librdkafka (Debian: librdkafka-dev)"


def fill(bench: Bench) -> None:
    """Write every topic once and compute every answer."""
    for stream in sorted({oracle.JOBS[job] for job in bench.plan.jobs}):
        for size, records in bench.plan.sizes(stream).items():
            name, began = f"{stream}-{size}", time.perf_counter()
            table = data.columns(stream, records)
            bench.broker.create_topic(name, data.PARTITIONS)
            bench.topics[name] = topics.fill(bench.broker.bootstrap, name, stream, table)
            for job in bench.plan.jobs:
                if oracle.JOBS[job] == stream and (size != "long" or job == "tumbling"):
                    bench.answers[job, name] = oracle.answer(job, table)
            bench.say(f"topic {name}: {records:,} records in {time.perf_counter() - began:.1f} s")


def measure(bench: Bench) -> None:
    """Cold runs, then warm ones in turn; whoever answers wrong is not timed any further in that job."""
    for turn in range(bench.plan.cold_rounds):
        for way, job in _in_turn(bench, turn):
            _cold(bench, way, job, turn)
    try:
        _warm_up(bench)
        for turn in range(bench.plan.rounds):
            bench.say(f"round {turn + 1} of {bench.plan.rounds}")
            for way, job in _in_turn(bench, turn):
                if turn < SLOW_ROUNDS or not way.slow:
                    for size in way.sizes:
                        _warm(bench, way, job, size, turn)
            _read_only(bench, turn)
    finally:
        for worker in bench.workers.values():
            worker.close()


def _in_turn(bench: Bench, turn: int) -> Iterator[tuple[Way, str]]:
    """Everybody who takes part, job by job; every other time the other way round."""
    for job in bench.plan.jobs:
        for way in bench.ways[:: -1 if turn % 2 else 1]:
            if bench.takes_part(way, job):
                yield way, job


def environment(way: Way) -> dict[str, str]:
    """The environment of a way: the checkout is on the path of our own interpreter only."""
    env = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}}
    if way.kit is None:
        env["PYTHONPATH"] = PATH
    # Flink's own options are replaced by these; the opening is what it needs to take jars into a JVM that runs.
    flink = "-Xmx4g " + " ".join(f"--add-opens=java.base/{each}=ALL-UNNAMED" for each in OPENED)
    return env | {"FLINK_ENV_JAVA_OPTS": flink, "PYTHONUNBUFFERED": "1"}


def _told(bench: Bench, way: Way, job: str, size: str) -> tuple[str, Path, str]:
    """The line that asks for a job, the folder of its answer, and the topic that it reads."""
    bench.serial += 1
    topic = f"{oracle.JOBS[job]}-{size}"
    folder = bench.folder / f"run_{bench.serial}"
    (folder / "scratch").mkdir(parents=True)
    out = str(folder / "out")
    if way.to_topic:
        out = bench.broker.create_topic(f"answer-{bench.serial}", data.PARTITIONS)
    return f"{job} {topic} {out} {folder / 'scratch'}\n", folder, topic


def _home(bench: Bench, way: Way) -> Path:
    home = bench.folder / "homes" / way.name
    home.mkdir(parents=True, exist_ok=True)
    return home


def _cold(bench: Bench, way: Way, job: str, turn: int) -> None:
    """From the start of a process to its end, with the larger of its topics."""
    told, folder, topic = _told(bench, way, job, way.sizes[0])
    command = way.command(bench.kits[way.name], bench.broker.bootstrap, _home(bench, way))
    took = _tree(bench, command, environment(way), told, folder)
    if took["code"]:
        bench.wrong[f"{way.name} {job}"] = f"exit code {took['code']}"
        bench.say(f"{job} {way.name} failed: {str(took['tail'])[-800:]}")
        return
    _note(bench, way, job, way.sizes[0], turn, {"mode": "cold", **took}, folder, topic)


def _tree(bench: Bench, command: list[str], env: dict[str, str], told: str, folder: Path) -> dict[str, object]:
    """Run a command in a process of its own that measures it."""
    measured = [sys.executable, "-m", "bench.peers.tree", str(folder / "log"), str(bench.plan.timeout_s), *command]
    env = {**env, "TREE_PYTHONPATH": env.get("PYTHONPATH", ""), "PYTHONPATH": PATH}
    running = subprocess.Popen(measured, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    try:
        printed, _ = running.communicate(told)
    except BaseException:  # it ends what it started
        running.terminate()
        running.wait()
        raise
    if running.returncode:
        raise RuntimeError(f"what measures {command[0]} ended with {running.returncode}")
    return dict(json.loads(printed))


def _warm_up(bench: Bench) -> None:
    """Start every worker and let it do each of its jobs once, untimed."""
    for way in bench.ways:
        if not way.warm or way.name in bench.left_out:
            continue
        bench.say(f"warming {way.name} up")
        command = way.command(bench.kits[way.name], bench.broker.bootstrap, _home(bench, way))
        log = bench.folder / f"{way.name}.log"
        try:
            bench.workers[way.name] = Worker(command, environment(way), log, bench.plan.timeout_s)
            for job in bench.plan.jobs:
                if bench.takes_part(way, job):
                    told, folder, _ = _told(bench, way, job, way.sizes[1])
                    bench.workers[way.name].run(told)
                    shutil.rmtree(folder)
        except WorkerFailed as reason:
            bench.left_out[way.name] = "its worker failed"
            bench.say(f"  {way.name} failed: {reason}")


def _warm(bench: Bench, way: Way, job: str, size: str, turn: int) -> None:
    """A job in a process that is there; a way that cannot do two jobs in one process starts a new one."""
    if not bench.takes_part(way, job):
        return
    told, folder, topic = _told(bench, way, job, size)
    if way.warm:
        try:
            spent = bench.workers[way.name].run(told)
        except WorkerFailed as reason:
            bench.left_out[way.name] = "its worker failed"
            bench.say(f"{job} {way.name} failed: {reason}")
            return
        took = {"mode": "warm", "wall_s": spent.wall_s, "cpu_s": spent.cpu_s}
    else:
        command = way.command(bench.kits[way.name], bench.broker.bootstrap, _home(bench, way))
        took = {"mode": "fresh", **_tree(bench, command, environment(way), told, folder)}
    _note(bench, way, job, size, turn, took, folder, topic)


def _note(
    bench: Bench, way: Way, job: str, size: str, turn: int, took: dict[str, object], folder: Path, topic: str
) -> None:
    """Compare the answer, keep the figures, and remove what was written."""
    out = folder / "out"
    if way.to_topic:
        topics.collect(bench.broker.bootstrap, f"answer-{bench.serial}", out)
        bench.broker.delete_topic(f"answer-{bench.serial}")
    for lines in out.glob("*.jsonl"):
        topics.as_parquet(lines.read_bytes(), out)
        lines.unlink()
    wrong = oracle.differences(job, bench.answers[job, topic], out)
    files = [each for each in out.rglob("*.parquet") if each.is_file()]
    kept = {key: took[key] for key in ("mode", "wall_s", "cpu_s", "peak_mb") if key in took}
    written = {"files": len(files), "bytes": sum(each.stat().st_size for each in files)}
    bench.runs.append(
        {"way": way.name, "job": job, "size": size, "round": turn, **kept, **written, "answer": wrong or "equal"}
    )
    bench.say(
        f"{job:9} {way.name:10} {kept['mode']} {size:5} {kept['wall_s']:7.2f} s  {kept['cpu_s']:7.2f} s CPU  {wrong}"
    )
    if wrong:
        bench.wrong[f"{way.name} {job}"] = wrong
    shutil.rmtree(folder)


def _read_only(bench: Bench, turn: int) -> None:
    """The C program on every size of the steady topic, with the whole job beside it on the long one."""
    if bench.program is None or "tumbling" not in bench.plan.jobs:
        return
    for size, records in bench.plan.sizes("steady").items():
        name = f"steady-{size}"
        count = records + data.PARTITIONS
        folder = bench.folder / f"c-{turn}-{size}"
        folder.mkdir()
        command = [*bench.program, bench.broker.bootstrap, name, str(data.PARTITIONS), str(count), "time"]
        took = _tree(bench, command, environment(ARROWFLOW), "", folder)
        found = json.loads(str(took["tail"]).splitlines()[-1])
        filled = bench.topics[name]
        right = (found["count"], found["bytes"]) == (filled.records, filled.value_bytes)
        kept = {key: took[key] for key in ("wall_s", "cpu_s", "peak_mb")}
        run = {"way": "C", "job": READ, "size": size, "round": turn, "mode": "fresh", **kept}
        bench.runs.append({**run, "answer": "equal" if right else f"{found['count']} records"})
        bench.say(f"{READ:9} C          fresh {size:5} {took['wall_s']:7.2f} s  {took['cpu_s']:7.2f} s CPU")
        shutil.rmtree(folder)
        if size == "long":
            _warm(bench, ARROWFLOW, "tumbling", "long", turn)
