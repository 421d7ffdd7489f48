"""configs/gold.toml with its lake in a bucket, under kills, spoiled requests and frozen writers; importable, and a campaign.

``python -m tests.chaos.bucket_campaign [kills] [requests] [zombies]`` does all of it: a real process killed at every failpoint
twice, on a service with moves and on one without; every single request of a run spoiled in every way; a writer frozen at
every point while another finishes the job. CI takes a share of each (`tests/chaos/test_bucket.py`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.chaos.replay_job import TO_THE_END, gold_over, write_archive, wrong
from tests.support.buckets import BUCKET, strict_fake
from tests.support.cli import wait_for

from arrowflow.engine import start
from arrowflow.failpoints import REGISTRY, Failpoints
from arrowflow.stores.gcs.patience import Patience
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.gcs import Fault

ROOT = Path(__file__).parents[2]
LAKE = f"gs://{BUCKET}/af"
KINDS = ("refuse", "refuse_after", "drop", "drop_after", "twice", "late")
ON_A_DISK = {"fs.enospc", "fs.fsync_file", "fs.fsync_dir", "publish.between_link_unlink"}
CORRECTIONS = {"stage.revision", "publish.replace", "publish.between_look_rename"}
NOT_THE_FIRST_TIME = {"redo.mid", "recover.head_loaded"}
COPIES = {"publish.between_copy_delete"}
OF_OTHER_PARTS = {name for name in REGISTRY if name.startswith(("gc.", "compact.", "kafka.", "reset.", "drop."))} | {
    "stage.outbox"
}
POINTS = sorted(set(REGISTRY) - ON_A_DISK - CORRECTIONS - NOT_THE_FIRST_TIME - COPIES - OF_OTHER_PARTS)
"""Every point that a job without corrections passes on its first start, on a service that moves."""


def run_here(archive: Path, plan: str = "", *, observer: object = None, **options: object) -> None:
    """Run the job to its end in this process; what may pass is waited for by a clock that costs no time."""
    pipeline = gold_over(archive, LAKE)
    log = replace(pipeline.checkpoint.log, patience=Patience(ManualClock()))
    pipeline = replace(pipeline, checkpoint=replace(pipeline.checkpoint, log=log))
    start(pipeline, TO_THE_END, failpoints=Failpoints.parse(plan), observer=observer, **options).result()


def start_there(archive: Path, plan: str = "") -> subprocess.Popen:
    """Start the job as a process of its own."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "ARROWFLOW_FAILPOINTS": plan}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.replay_job", str(archive), LAKE],
        env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def faults_found(fake, sheet: dict, folder: Path) -> list[str]:
    """Every way in which the tables in the bucket differ from the answer, and every name there that is no table's file."""
    lake = fake.dump(BUCKET, folder) / "af"
    foreign = [
        name
        for name in fake.snapshot(BUCKET)
        if not name.startswith("af/_arrowflow/") and not name.endswith(".parquet")
    ]
    return [*wrong(sheet, lake), *(f"foreign name {name}" for name in foreign)]


def killed(archive: Path, sheet: dict, folder: Path, plan: str, **options: object) -> list[str]:
    """Kill a process as planned and let another finish; what is wrong then."""
    with strict_fake(**options) as fake:
        child = start_there(archive, plan)
        _, told = child.communicate(timeout=300)
        if child.returncode != -signal.SIGKILL:
            return [f"{plan} killed nobody: exit code {child.returncode}, {told}"]
        run_here(archive)
        return faults_found(fake, sheet, folder)


def spoiled(archive: Path, sheet: dict, folder: Path, fault: Fault) -> tuple[int, list[str]]:
    """Run with a fault; how many requests it spoiled, and what is wrong at the end and after late requests arrived."""
    with strict_fake() as fake:
        fake.arrange(fault)
        run_here(archive)
        fake.mend()
        fake.release()
        return fault.struck, faults_found(fake, sheet, folder)


def frozen(archive: Path, sheet: dict, folder: Path, plan: str, **options: object) -> tuple[int | None, list[str]]:
    """Freeze a process as planned, let another finish, wake it; its exit code, and what is wrong then."""
    with strict_fake(**options) as fake:
        child = start_there(archive, plan)
        try:
            wait_for(lambda: _is_frozen(child), 120)
            run_here(archive)
            child.send_signal(signal.SIGCONT)
            child.communicate(timeout=300)
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()
        return child.returncode, faults_found(fake, sheet, folder)


def _is_frozen(child: subprocess.Popen) -> bool:
    assert child.poll() is None, "it ended and never froze"
    return Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def _all_kills(archive: Path, sheet: dict, scratch: Path) -> list[str]:
    plans = [(f"{point}:{hit}:kill", True) for point in POINTS for hit in _hits(point)]
    plans += [(f"{point}:{hit}:kill", False) for point in (*POINTS, *COPIES) for hit in _hits(point)]
    print(f"{len(plans)} kills", flush=True)
    found = []
    for index, (plan, moves) in enumerate(plans):
        found += [
            f"{plan} moves={moves}: {fault}"
            for fault in killed(archive, sheet, scratch / f"k{index}", plan, moves=moves)
        ]
        print(f"{index + 1} of {len(plans)}: {plan} moves={moves}, {len(found)} wrong so far", flush=True)
    return found


def _all_requests(archive: Path, sheet: dict, scratch: Path) -> list[str]:
    with strict_fake() as fake:
        run_here(archive)
        many = len(fake.requests)
    print(f"{many} requests, each spoiled in {len(KINDS)} ways", flush=True)
    found = []
    for kind in KINDS:
        for call in range(1, many + 1):
            struck, faults = spoiled(archive, sheet, scratch / f"{kind}{call}", Fault(kind, call=call))
            found += [f"{kind} of request {call}: {fault}" for fault in faults]
            found += [] if struck == 1 else [f"{kind} of request {call} spoiled {struck}"]
    return found


def _all_zombies(archive: Path, sheet: dict, scratch: Path) -> list[str]:
    plans = [
        (f"{point}:{hit}:stop", moves)
        for point in (*POINTS, *COPIES)
        for hit in _hits(point)
        for moves in (True, False)
        if not moves or point not in COPIES
    ]
    print(f"{len(plans)} frozen writers", flush=True)
    found, codes = [], []
    for index, (plan, moves) in enumerate(plans):
        code, faults = frozen(archive, sheet, scratch / f"z{index}", plan, moves=moves)
        codes.append(code)
        print(f"{index + 1} of {len(plans)}: {plan} moves={moves}, exit code {code}, {len(faults)} wrong", flush=True)
        found += [f"{plan} moves={moves}, exit code {code}: {fault}" for fault in faults]
    print("exit codes", {code: codes.count(code) for code in sorted(set(codes))}, flush=True)
    return found


def _hits(point: str) -> tuple[int, ...]:
    once = point.startswith(("recover.", "open.", "redo.")) or point == "stage.state_full"
    return (1,) if once else (1, 2)


def main() -> int:
    parts = {"kills": _all_kills, "requests": _all_requests, "zombies": _all_zombies}
    bad = 0
    for name in sys.argv[1:] or list(parts):
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch) / "production.ndjson"
            sheet = write_archive(archive, rows=1000)
            began = time.monotonic()
            found = parts[name](archive, sheet, Path(scratch))
            print(f"{name}: {len(found)} wrong, {time.monotonic() - began:.0f} s", *found, sep="\n", flush=True)
            bad += len(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
