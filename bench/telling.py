"""What the commands of this folder have in common: how much is asked for, and how a result is printed and kept."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from arrowflow.bench.chart import about, beside, table
from arrowflow.bench.compare import compare
from arrowflow.bench.results import Line, Machine, read, save
from arrowflow.bench.roster import result_of


def options(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options all of them have."""
    wanted = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--quick", action="store_true", help="small sizes: whether it works, not how fast it is")
    wanted.add_argument("--runs", type=int, help="timed runs of each, after an untimed one")
    wanted.add_argument("--compare", type=Path, help="print ratios to a result kept by --out")
    wanted.add_argument("--out", type=Path, help="keep the raw result in this JSON file")
    return wanted


def tell(
    title: str, lines: Sequence[Line], machine: Machine, command: str, out: Path | None, earlier: Path | None = None
) -> None:
    """Print a result, beside an earlier one if it was named, and keep it if a file was named."""
    result = result_of(title, command, lines, machine)
    print("\n".join([title, *about(result), "", *table(result), ""]), flush=True)
    if earlier is not None:
        print("\n".join(beside(compare(result, read(earlier)), earlier.name)), flush=True)
    if out is not None:
        save(result, out)


def command_of(module: str) -> str:
    """The command as it was called, without the files it wrote and read."""
    words = sys.argv[1:]
    for option in ("--out", "--compare"):
        if option in words:
            at = words.index(option)
            words = words[:at] + words[at + 2 :]
    return " ".join(["python", "-m", module, *words])
