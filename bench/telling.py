"""What the commands of this folder have in common: how much is asked for, and how a result is printed and kept."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from arrowflow.bench.chart import about, table
from arrowflow.bench.results import Line, Machine, save
from arrowflow.bench.roster import result_of


def options(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options all of them have."""
    wanted = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--quick", action="store_true", help="small sizes: whether it works, not how fast it is")
    wanted.add_argument("--runs", type=int, help="timed runs of each, after an untimed one")
    wanted.add_argument("--out", type=Path, help="keep the raw result in this JSON file")
    return wanted


def tell(title: str, lines: Sequence[Line], machine: Machine, out: Path | None, command: str) -> None:
    """Print a result, and keep it if a file was named."""
    result = result_of(title, command, lines, machine)
    print("\n".join([title, *about(result), "", *table(result), ""]), flush=True)
    if out is not None:
        save(result, out)


def command_of(module: str) -> str:
    """The command as it was called, without where its result went."""
    words = sys.argv[1:]
    if "--out" in words:
        at = words.index("--out")
        words = words[:at] + words[at + 2 :]
    return " ".join(["python", "-m", module, *words])
