"""As a command: ``python -m tests.laws --examples 1000000 --seed 1``. Stops at the first failure and says how to see it again."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context

from tests.laws.campaign import Choice, Failure, block, example
from tests.laws.laws import LAWS
from tests.laws.setups import KINDS

_BLOCK = 500


def main() -> int:
    options = read_options()
    choice = Choice(tuple(options.laws), tuple(options.kinds), tuple(options.aggregates))
    if options.example is not None:
        failure = example(options.seed, options.example, choice)
        print("holds" if failure is None else told(failure, options))
        return 1 if failure else 0
    began, told_at, held = time.monotonic(), 0.0, Counter()
    for counts, failure in blocks(options, choice):
        held += counts
        if failure is not None:
            print(told(failure, options), flush=True)
            break
        if time.monotonic() - told_at > 10:
            told_at = time.monotonic()
            print(f"{held.total():,} of {options.examples:,} hold after {told_at - began:.0f} s", flush=True)
    print(summary(held, time.monotonic() - began, options.seed), flush=True)
    return 0 if held.total() == options.examples else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.laws", description=__doc__)
    parser.add_argument("--examples", type=int, default=20_000, help="how many to run, numbered from 0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--example", type=int, help="run only the example of this number")
    parser.add_argument("--laws", nargs="+", default=[*LAWS], choices=[*LAWS], metavar="LAW")
    parser.add_argument("--kinds", nargs="+", default=[*KINDS], choices=KINDS, metavar="KIND")
    parser.add_argument("--aggregates", nargs="+", default=[], metavar="FUNCTION", help="only these: sum, or sum(x)")
    return parser.parse_args()


def blocks(options: argparse.Namespace, choice: Choice) -> Iterator[tuple[Counter, Failure | None]]:
    """Run all examples, some hundreds at a time, in this process or in several."""
    edges = range(0, options.examples, _BLOCK)
    tasks = [(options.seed, range(at, min(at + _BLOCK, options.examples)), choice) for at in edges]
    if options.processes == 1:
        yield from (block(task) for task in tasks)
        return
    with get_context("spawn").Pool(options.processes) as pool:
        yield from pool.imap_unordered(block, tasks)


def told(failure: Failure, options: argparse.Namespace) -> str:
    """What failed, and the one command that runs that example again."""
    command = f"python -m tests.laws --seed {options.seed} --example {failure.number}"
    for name, every in (("laws", [*LAWS]), ("kinds", [*KINDS]), ("aggregates", [])):
        if getattr(options, name) != every:
            command += f" --{name} " + " ".join(map(repr, getattr(options, name)))
    if os.environ.get("NUMBA_DISABLE_JIT"):
        command = "NUMBA_DISABLE_JIT=1 " + command
    return f"{failure.law!r} does not hold for {failure.kind}: {failure.error}\nagain: {command}"


def summary(held: Counter, seconds: float, seed: int) -> str:
    """How many examples held, by law and kind."""
    kinds = [kind for kind in (*KINDS, "none") if any(pair[1] == kind for pair in held)]
    lines = ["".join([f"{'law':<14}", *(f"{kind:>12}" for kind in kinds), f"{'all':>12}"])]
    for law in LAWS:
        counts = [held[law, kind] for kind in kinds]
        if sum(counts):
            lines.append("".join([f"{law:<14}", *(f"{count or '':>12}" for count in counts), f"{sum(counts):>12}"]))
    return "\n".join([*lines, f"{held.total():,} examples of seed {seed} hold; {seconds:.0f} s"])


if __name__ == "__main__":
    sys.exit(main())
