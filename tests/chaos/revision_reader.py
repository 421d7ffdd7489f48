"""Readers of a table whose windows are corrected: three engines that glob it all along and remember what they saw.

Run as a process of its own: ``python -m tests.chaos.revision_reader ROOT OUT STOP``. At every look each window must be
there once, never as an older revision than at the look before, and no window may be gone; a query that fails is
a violation too. With a fourth argument it watches a preview: all rows of a look are of one epoch, which only grows.
It shares no code with the engine.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

from tests.chaos.lake_reader import READERS

NAMES = ["k", "window_start", "n", "__af_revision"]


class Witness:
    """What one engine has seen so far: the revision and count of each window."""

    def __init__(self, reader: str) -> None:
        self.reader, self.looks, self.violations = reader, 0, []
        self.seen: dict[tuple[object, object], tuple[int, int]] = {}
        self.grown = 0

    def look(self, root: Path) -> None:
        try:
            rows = READERS[self.reader](root, NAMES)
        except BaseException as error:  # noqa: BLE001 - any failed query is a finding, a panic of Polars too
            self.violations.append(f"{self.reader}: the query failed: {type(error).__name__}: {error}")
            return
        self.looks += 1
        times = Counter((row["k"], str(row["window_start"])) for row in rows)
        self.violations += [f"{self.reader}: {name} is there {n} times" for name, n in times.items() if n > 1]
        now = {(row["k"], str(row["window_start"])): (row["__af_revision"], row["n"]) for row in rows}
        for name, before in self.seen.items():
            after = now.get(name)
            if after is None or after[0] < before[0] or (after[0] == before[0]) != (after == before):
                self.violations.append(f"{self.reader}: {name} was {before} and is {after}")
            elif after > before:
                self.grown += 1
        self.seen = now


class PreviewWitness(Witness):
    """What one engine has seen of a preview: one epoch at a time."""

    epoch = -1

    def look(self, root: Path) -> None:
        try:
            rows = READERS[self.reader](root, ["k", "window_start", "__af_epoch", "__af_kind", "__af_revision"])
        except BaseException as error:  # noqa: BLE001 - as above
            self.violations.append(f"{self.reader}: the query failed: {type(error).__name__}: {error}")
            return
        self.looks += 1
        epochs = {row["__af_epoch"] for row in rows}
        if len(epochs) > 1 or (epochs and min(epochs) < self.epoch):
            self.violations.append(f"{self.reader}: epochs {sorted(epochs)} after {self.epoch}")
        if {(row["__af_kind"], row["__af_revision"]) for row in rows} - {("interim", 0)}:
            self.violations.append(f"{self.reader}: a row that is not marked as interim")
        self.grown += bool(epochs) and max(epochs) > self.epoch
        self.epoch = max([self.epoch, *epochs])


def watch(root: Path, out: Path, stop: Path, preview: bool) -> None:
    witnesses = [(PreviewWitness if preview else Witness)(reader) for reader in READERS]
    last = False
    while not last:
        last = stop.exists()
        if any(root.rglob("*.parquet")):
            for witness in witnesses:
                witness.look(root)
        else:
            time.sleep(0.02)
    report = {
        "looks": {witness.reader: witness.looks for witness in witnesses},
        "revisions seen to grow": {witness.reader: witness.grown for witness in witnesses},
        "violations": [violation for witness in witnesses for violation in witness.violations][:50],
    }
    out.write_text(json.dumps(report))


if __name__ == "__main__":
    watch(*map(Path, sys.argv[1:4]), preview=len(sys.argv) > 4)
