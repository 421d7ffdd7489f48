"""As a command: ``python -m tests.mutation --sample 500 --seed 1``. Says which of the mutants drawn no test notices."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.mutation.equivalents import EQUIVALENT
from tests.mutation.grading import LIVES, PACKAGE, ROOT, WORDS, Bench, Grade, preload
from tests.mutation.mutants import Mutant, named, sample_of


def main() -> int:
    options = read_options()
    os.chdir(ROOT)
    if options.names:
        drawn, every = named(ROOT / "src" / PACKAGE, options.names)
    else:
        drawn, every = sample_of(ROOT / "src" / PACKAGE, options.sample, Random(options.seed), options.only)
    print(f"{len(drawn)} mutants of {every} possible, seed {options.seed}", flush=True)
    preload()
    began, grades = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        (whole,) = graded([unchanged()], Path(folder) / "unchanged", 1, quick=options.quick)
        if whole.code != LIVES:
            print(f"the tests do not hold for the code as it is: {whole.noticed}")
            return 1
        for grade in graded(drawn, Path(folder), options.processes, quick=options.quick):
            grades.append(grade)
            alive = sum(each.code == LIVES for each in grades)
            print(
                f"{len(grades)}/{len(drawn)} {alive} alive; {WORDS[grade.code]} after {grade.seconds:.0f} s: "
                f"{grade.mutant.diff() if grade.code == LIVES else grade.mutant.name + ' ' + grade.noticed}",
                flush=True,
            )
    print(summary(grades, time.monotonic() - began), flush=True)
    return 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=500, help="how many mutants to draw from all possible ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only", default="", metavar="PART", help="only files whose path holds this")
    parser.add_argument("--names", nargs="+", default=[], metavar="NAME", help="these, whether drawn or not")
    parser.add_argument("--quick", action="store_true", help="try only what is aimed at the mutated module")
    return parser.parse_args()


def unchanged() -> Mutant:
    """No change at all: whoever notices it is wrong."""
    return Mutant("spec.py", 1, "nothing", 0, 0, "", "", "")


def graded(mutants: Sequence[Mutant], folder: Path, processes: int, *, quick: bool) -> Iterator[Grade]:
    """Grade mutants, some at a time, each in a child of its own."""
    free = [Bench(folder / str(number)) for number in range(processes)]
    busy: dict[int, Bench] = {}
    waiting = list(mutants)[::-1]
    while waiting or busy:
        while waiting and free:
            bench = free.pop()
            busy[bench.begin(waiting.pop(), quick=quick)] = bench
        child, status = os.wait()
        bench = busy.pop(child)
        yield bench.end(status)
        free.append(bench)


def summary(grades: Sequence[Grade], seconds: float) -> str:
    """How many were killed by what, and the survivors as diffs; those argued to change nothing are told apart."""
    alive = [grade.mutant for grade in grades if grade.code == LIVES]
    argued = [mutant for mutant in alive if (mutant.file, mutant.before, mutant.after) in EQUIVALENT]
    lines = ["", "survivors:"]
    for mutant in sorted(alive, key=lambda mutant: (mutant.file, mutant.line)):
        reason = EQUIVALENT.get((mutant.file, mutant.before, mutant.after))
        lines += [mutant.diff(), *([] if reason is None else [f"  = {reason}"])]
    for code, count in Counter(WORDS[grade.code] for grade in grades).most_common():
        lines.append(f"{count:>5} {code}")
    killed, total = len(grades) - len(alive), len(grades)
    lines.append(f"{killed} of {total} killed: {killed / max(1, total):.1%}; {seconds:.0f} s")
    if argued:
        rest = total - len(argued)
        lines.append(f"without {len(argued)} argued to change nothing: {killed / max(1, rest):.1%} of {rest}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
