"""One bit flipped at random in what a job keeps and gives out, over and over: the auditor must name the file each time.

As a command: ``python -m tests.chaos.bit_flips --flips 100000 --seed 1 [--out results.jsonl]``. Every so often the engine
itself is started on the damaged folder (`--restarts`): it must stop with the file's name, or go on and give the very
rows and the very digest that an undamaged run gives.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.kept import Kept, finish_small_job, run_small_job_but_its_end, small_results

from arrowflow.audit import audit
from arrowflow.errors import ArrowflowError

KINDS = {"manifests": "record", "job.json": "job.json", "state": "state"}


@dataclass
class Tally:
    """What came of the flips."""

    flips: Counter = field(default_factory=Counter)
    newest_record: int = 0
    missed: list[str] = field(default_factory=list)
    restarts: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, object]:
        return {
            "flips": dict(sorted(self.flips.items())),
            "newest_record": self.newest_record,
            "missed": self.missed,
            "restarts": dict(sorted(self.restarts.items())),
            "wrong": self.wrong,
        }


def kind_of(kept: Kept, path: str) -> str:
    """What a file is to the job."""
    inside = path.removeprefix(f"{kept.prefix}/")
    return "Parquet" if inside == path else KINDS[inside.split("/")[0]]


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flip_many(folder: Path, flips: int, seed: int, tally: Tally) -> None:
    """Flip one bit, audit, put it back."""
    run_small_job_but_its_end(folder)
    finish_small_job(folder)
    kept, dice = Kept.of(folder), random.Random(seed)
    paths = sorted(kept.files.content)
    newest = max(kept.paths("/manifests/"))
    for number in range(flips):
        path = newest if number % 20 == 0 else dice.choice(paths)
        whole = kept.files.content[path]
        bit = dice.randrange(8 * len(whole))
        kept.files.content[path] = flip(whole, bit)
        found = audit(kept.files, kept.prefix, deep=True).findings
        kept.files.content[path] = whole
        tally.flips[kind_of(kept, path)] += 1
        tally.newest_record += path == newest
        if not any(path.endswith(each.place) for each in found):
            tally.missed.append(f"seed {seed}, flip {number}: bit {bit} of {path}")


def restart_many(folder: Path, restarts: int, seed: int, tally: Tally) -> None:
    """Stop a job before its end, flip a bit of its state or records, and let the engine finish it."""
    here, base = folder / "job", folder / "aside"
    run_small_job_but_its_end(here)
    shutil.copytree(here, base)
    finish_small_job(here)
    right, dice = small_results(here), random.Random(seed)
    for number in range(restarts):
        shutil.rmtree(here)
        shutil.copytree(base, here)
        kept = Kept.of(here)
        path = dice.choice(sorted(path for path in kept.paths("_log/")))
        bit = dice.randrange(8 * len(kept.files.content[path]))
        Path(path).write_bytes(flip(kept.files.content[path], bit))
        where = f"seed {seed}, restart {number}: bit {bit} of {Path(path).relative_to(here)}"
        try:
            finish_small_job(here)
        except ArrowflowError as error:
            tally.restarts[f"{kind_of(kept, path)}: stopped"] += 1
            if Path(path).name not in str(error) or kind_of(kept, path) == "state":
                tally.wrong.append(f"{where}: {error}")
        else:
            tally.restarts[f"{kind_of(kept, path)}: finished"] += 1
            if small_results(here) != right:
                tally.wrong.append(f"{where}: other results")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="append the result as one line of JSON")
    asked = parser.parse_args()
    tally, began = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        flip_many(Path(folder) / "flips", asked.flips, asked.seed, tally)
        restart_many(Path(folder) / "restarts", asked.restarts, asked.seed, tally)
    told = {"campaign": "bit flips", "seed": asked.seed, "seconds": round(time.monotonic() - began), **tally.as_data()}
    print(json.dumps(told))
    if asked.out is not None:
        with asked.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
    return 1 if tally.missed or tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
