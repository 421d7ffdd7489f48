"""Instructions a row of the kernels on the hot path, beside their budgets: ``python -m bench.instructions [--update]``.

No clock takes part: kernels are compiled for one processor in a process of their own, and the trap flag counts what they run
(`bench.counting`), so the numbers are those of the source and of the versions of numba and Python. Exits with 1
where a kernel takes over 5 % more than ``bench/instructions.json`` allows it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

PROCESSOR = "x86-64-v2"
TOLERANCE, GRAIN = 0.05, 1.0
"""A kernel may take 5 % more than its budget, and one instruction a row: loops of a few are unrolled by the row."""
FILE = Path(__file__).with_suffix(".json")
UPDATE = "`python -m bench.instructions --update`"

Counts = dict[str, dict[str, float]]
"""Instructions a row by case and kernel."""


def versions() -> dict[str, str]:
    """What the numbers depend on beside the source."""
    return {
        "processor": PROCESSOR,
        "numba": metadata.version("numba"),
        "llvmlite": metadata.version("llvmlite"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def counted(cases: Sequence[str] = (), path: str | None = None) -> Counts:
    """Count in a new process; `path` replaces the search path of modules."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    env |= {"NUMBA_CPU_NAME": PROCESSOR, "PYTHONHASHSEED": "0", "PYTHONPATH": path or os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "bench.counting.measure", *cases], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"counting failed with {done.returncode}:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def complaints(found: Counts, budgets: Counts) -> list[str]:
    """What is wrong, a line each: kernels over their budget, without one, or with one that nothing calls."""
    wrong = []
    for case, kernels in found.items():
        allowed = budgets.get(case, {})
        for kernel, spent in kernels.items():
            budget = allowed.get(kernel)
            if budget is None:
                wrong.append(
                    f"{case}: {kernel} has no budget; it takes {spent} instructions a row. Give it one: {UPDATE}"
                )
            elif spent > budget * (1 + TOLERANCE) + GRAIN:
                more = f"{spent / budget - 1:+.1%}" if budget else "none before"
                wrong.append(
                    f"{case}: {kernel} takes {spent} instructions a row, its budget is {budget} ({more}). "
                    f"Make it as short as it was; where the price is meant, {UPDATE} and say why in the commit"
                )
        wrong += [
            f"{case}: {kernel} has a budget and is not called any more: {UPDATE}"
            for kernel in allowed if kernel not in kernels
        ]  # fmt: skip
    return wrong


def budgets() -> tuple[dict[str, str], Counts]:
    """The versions the budgets were taken with, and the budgets."""
    kept = json.loads(FILE.read_text())
    return kept["versions"], kept["instructions_a_row"]


def main() -> None:
    """Print a line per kernel; exit with 1 if one is over its budget."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--update", action="store_true", help="make what is counted now the budgets")
    update = wanted.parse_args().update
    found = counted()
    if update:
        kept = {"versions": versions(), "instructions_a_row": found}
        FILE.write_text(json.dumps(kept, indent=2) + "\n")
    taken_with, allowed = budgets()
    for case, kernels in found.items():
        for kernel, spent in kernels.items():
            print(f"{case:24} {kernel:28} {spent:9.2f} of {allowed.get(case, {}).get(kernel, float('nan')):9.2f}")
    if taken_with != versions():
        print(f"the budgets were taken with {taken_with}, this is {versions()}: they may differ for that alone")
    sys.exit("\n".join(complaints(found, allowed)) or 0)


if __name__ == "__main__":
    main()
