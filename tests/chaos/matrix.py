"""Every failpoint with every action that can happen there, on one small job on a real disk; ``python -m tests.chaos.matrix`` prints it.

The job corrects windows and begins where another run died, so that it passes every point that files have.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.campaigns.results import append
from tests.chaos.revision_job import TO_THE_END, job, newest_revisions

from arrowflow.engine import start
from arrowflow.errors import ArrowflowError
from arrowflow.failpoints import REGISTRY, UPLOADS, Failpoints, SimulatedCrash
from arrowflow.pipeline import Pipeline
from arrowflow.testing.answers import read_rows

MANY = 48
"""Records per partition."""
ACTIONS = ("kill", "raise", "delay", "lost", "duplicate", "torn")
ELSEWHERE = (
    "kafka.", "outbox.", "stage.outbox", "bq.", "gc.", "compact.", "reset.", "drop.", "reconfig.", "seal.", "gcs.",
    "publish.between_copy_delete",
)  # fmt: skip
"""Beginnings of points that this job has no parts for; the tests of those parts pass them."""
BEFORE = "commit.checked:2:kill"
"""How the run before the cell died: there is a record, and something to publish again."""


def points() -> list[str]:
    """The points of the registry that files have."""
    return [point for point in REGISTRY if not point.startswith(ELSEWHERE)]


def why_not(point: str, action: str) -> str | None:
    """Why there is no such cell; None if there is."""
    if action in ("lost", "duplicate") and not REGISTRY[point][1]:
        return "no call is answered here"
    if action == "torn" and point not in UPLOADS:
        return "no bytes are written here"
    return None


def small(folder: Path) -> Pipeline:
    """The job, few records of it, with a full snapshot at every other epoch."""
    whole = job(folder, many=MANY, epoch_rows=20)
    return replace(whole, checkpoint=replace(whole.checkpoint, full_every=1))


def cell(point: str, action: str, folder: Path) -> list[str]:
    """Run into the action and on to the end; returns what is wrong then. Says so if the point was never passed."""
    trace = folder.with_suffix(".trace")
    live(folder, BEFORE)
    live(folder, f"{point}:1:{action}", trace)
    start(small(folder), TO_THE_END).result()
    passed = trace.read_text().split()
    site = f"{point}/reply" if action in ("lost", "duplicate") else point
    return [*wrong(folder), *([] if site in passed else [f"{site} was never passed"])]


def live(folder: Path, plan: str, trace: Path | None = None) -> str:
    """One run of the job; returns how it ended."""
    failpoints = Failpoints.parse(plan, None if trace is None else str(trace), in_process=True)
    try:
        start(small(folder), TO_THE_END, failpoints=failpoints).result()
    except (SimulatedCrash, ArrowflowError) as error:
        return type(error).__name__
    return "well"


def wrong(folder: Path) -> list[str]:
    """Every way in which the table differs from the loop's newest revisions."""
    rows = read_rows(folder / "out", ["k", "window_start", "n", "total"])
    found = Counter((row["k"], int(row["window_start"].timestamp()), row["n"], row["total"]) for row in rows)
    wanted = Counter((*name, *values) for name, values in newest_revisions(MANY).items())
    return [f"missing {row}" for row in wanted - found] + [f"foreign or repeated {row}" for row in found - wanted]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--results", type=Path, help="a file of JSON lines to append to")
    results, broken = options.parse_args().results, 0
    print("".join([f"{'point':<30}", *(f"{action:>11}" for action in ACTIONS)]))
    for point in points():
        outcomes = []
        for action in ACTIONS:
            found: list[str] = []
            if not (never := why_not(point, action)):
                with tempfile.TemporaryDirectory(prefix="arrowflow-matrix-") as folder:
                    found = cell(point, action, Path(folder) / "lake")
            broken += bool(found)
            outcomes.append("-" if never else "WRONG" if found else "holds")
            append(results, "matrix", point=point, action=action, outcome=outcomes[-1])
        print("".join([f"{point:<30}", *(f"{outcome:>11}" for outcome in outcomes)]), flush=True)
    print('-: "lost" and "duplicate" need a call that is answered, "torn" needs bytes that are written')
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
