"""Every benchmark of this folder one after the other, then docs/benchmarks.md: ``python -m bench.campaign`` (``make benchmarks``).

``--quick`` runs all of it small, writes into the folder that ``--out`` names, and leaves the page alone.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from bench.page import RESULTS, kept, write

SWEEPS = ("keys", "skew", "disorder", "size", "codec", "spike")


def commands(folder: Path, *, quick: bool) -> list[list[str]]:
    """What is run, in order; each keeps its raw result in `folder`."""
    small = ["--quick"] if quick else []
    parts = [
        "bench.on_kafka",
        *(["--rows", "20000", "--runs", "1"] if quick else []),
        "--out",
        str(folder / "parts.json"),
    ]
    sweeps = [["bench.sweeps", name, *small, "--out", str(folder / f"{name}.json")] for name in SWEEPS]
    return [parts, ["bench.nexmark", "--kafka", *small, "--out", str(folder / "nexmark.json")], *sweeps]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run all; stop at the first that fails."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--quick", action="store_true")
    wanted.add_argument("--out", type=Path, default=RESULTS)
    given = wanted.parse_args()
    if given.quick and given.out == RESULTS:
        raise SystemExit("--quick measures nothing worth keeping: name another folder with --out")
    given.out.mkdir(parents=True, exist_ok=True)
    for words in commands(given.out, quick=given.quick):
        began, before = time.monotonic(), _cpu_s()
        subprocess.run([sys.executable, "-m", *words], check=True, timeout=1800)
        print(
            f"-- {words[0]} {words[1]}: {time.monotonic() - began:.0f} s, {_cpu_s() - before:.0f} s of processors\n",
            flush=True,
        )
    if given.out == RESULTS:
        write(kept())


if __name__ == "__main__":
    main()
