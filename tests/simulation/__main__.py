"""As a command: ``python -m tests.simulation --seed 7`` replays one history; ``--histories 50000`` plays many and appends results."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from arrowflow.testing.simulation.campaign import run_blocks
from arrowflow.testing.simulation.history import Verdict, simulate

ROOT = Path(__file__).parents[2]


def main() -> int:
    options = read_options()
    if options.seed is not None:
        return replay(options.seed, show=options.show)
    start = options.start if options.start is not None else next_seed(options.results)
    began, total, wrong = time.monotonic(), Counter(), 0
    for block in run_blocks(start, start + options.histories, options.processes):
        total.update(block.counts)
        total["histories"] += block.stop - block.start
        wrong += len(block.wrong)
        for seed, what in block.wrong:
            print(failure(seed, what), flush=True)
        if options.results:
            line = {"kind": "simulation", "commit": revision(), "day": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"}
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**line, **block.line()}) + "\n")
    told = ", ".join(f"{n:,} {name}" for name, n in total.items())
    print(f"seeds {start} to {start + options.histories}: {told}; {wrong} wrong; {time.monotonic() - began:.0f} s")
    return int(wrong > 0)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay the history of this seed")
    parser.add_argument("--show", action="store_true", help="print everything that happened in it")
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--start", type=int, help="the first seed; by default the one after those in the results")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--results", type=Path, help="a file of JSON lines to append to")
    return parser.parse_args()


def replay(seed: int, *, show: bool) -> int:
    verdict = simulate(seed)
    if show:
        print(*verdict.journal, sep="\n")
    print(told(verdict))
    return int(bool(verdict.wrong))


def told(verdict: Verdict) -> str:
    if verdict.wrong:
        return failure(verdict.seed, verdict.wrong)
    counts = f"{verdict.writers} writers, {verdict.crashes} crashes, {verdict.freezes} frozen, {verdict.faults} faults"
    return f"seed {verdict.seed} of commit {revision()} holds: {counts}, {verdict.calls} calls; digest {verdict.digest}"


def failure(seed: int, wrong) -> str:
    lines = "\n  ".join(wrong)
    return f"seed {seed} of commit {revision()} is wrong:\n  {lines}\nagain: python -m tests.simulation --seed {seed} --show"


def next_seed(results: Path | None) -> int:
    if results is None or not results.exists():
        return 0
    lines = map(json.loads, results.read_text(encoding="utf-8").splitlines())
    return max((line["seeds"][1] for line in lines if line["kind"] == "simulation"), default=0)


def revision() -> str:
    """The commit of the tree, with a + if it was changed since."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return found or "unknown"


if __name__ == "__main__":
    sys.exit(main())
