"""As a command: ``python -m tests.simulation --seed 7`` replays one history; ``--histories 50000`` plays many and appends results."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter
from pathlib import Path
from unittest import mock

from tests.campaigns.results import append, read, revision
from tests.simulation.weaker import WEAKER, first_refuting

from arrowflow.testing.simulation.campaign import run_blocks
from arrowflow.testing.simulation.history import Verdict, simulate
from arrowflow.testing.simulation.nth import LASTING, TRANSIENT, every_call


def main() -> int:
    options = read_options()
    if options.seed is not None:
        return replay(options.seed, show=options.show)
    if options.weaker:
        return try_weaker(options.results)
    if options.nth:
        return try_every_call(options.nth, options.results)
    start = options.start if options.start is not None else next_seed(options.results)
    began, total, wrong = time.monotonic(), Counter(), 0
    for block in run_blocks(start, start + options.histories, options.processes):
        total.update(block.counts)
        total["histories"] += block.stop - block.start
        wrong += len(block.wrong)
        for seed, what in block.wrong:
            print(failure(seed, what), flush=True)
        append(options.results, "simulation", **block.line())
    told = ", ".join(f"{n:,} {name}" for name, n in total.items())
    print(f"seeds {start} to {start + options.histories}: {told}; {wrong} wrong; {time.monotonic() - began:.0f} s")
    return int(wrong > 0)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay the history of this seed")
    parser.add_argument("--show", action="store_true", help="print everything that happened in it")
    parser.add_argument(
        "--weaker", action="store_true", help="plant wrong protocols, and find the seeds that refute them"
    )
    parser.add_argument(
        "--nth", type=int, nargs="+", metavar="JOB", help="let every call of these jobs go wrong in turn"
    )
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
    return max((line["seeds"][1] for line in read(results) if line["kind"] == "simulation"), default=0)


def try_weaker(results: Path | None) -> int:
    """Plant each wrong protocol and look for the first seed that refutes it."""
    missed = 0
    for weaker in WEAKER:
        with contextlib.ExitStack() as planted:
            weaker.plant(lambda where, name, value: planted.enter_context(mock.patch.object(where, name, value)))
            found = first_refuting(weaker.within, weaker.first)
        seed, wrong = found or (None, ("not refuted",))
        missed += found is None
        append(results, "weaker", what=weaker.what, within=weaker.within, seed=seed, wrong=wrong[0])
        print(f"{weaker.what}: seed {seed}: {wrong[0]}", flush=True)
    return int(missed > 0)


def try_every_call(jobs: list[int], results: Path | None) -> int:
    """Let every call of some jobs go wrong in turn."""
    broken = 0
    for job in jobs:
        for lasting, fates in ((False, TRANSIENT), (True, LASTING)):
            for fate in fates:
                calls, wrong = every_call(job, fate, lasting=lasting)
                broken += len(wrong)
                append(results, "nth", job=job, fate=fate, lasting=lasting, calls=calls, wrong=wrong)
                print(
                    f"job {job}, {fate}{', lasting' if lasting else ''}: {calls} calls, {len(wrong)} wrong", flush=True
                )
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
