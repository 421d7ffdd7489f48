"""A reader of a table through the log, as often as it can, that remembers what it must never see.

Run as a process of its own: ``python -m tests.chaos.scan_reader LOG ANSWER OUT STOP``. It ends when STOP exists and
writes to OUT how often it looked and every violation. Two engines read each dataset: pyarrow and Polars.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl
from tests.chaos.lake_reader import as_row

import arrowflow as af
from arrowflow.errors import ConfigError

NOT_YET = ("holds no record", "is published yet", "holds no file")


def watch(log: Path, answer: Path, out: Path, stop: Path) -> None:
    windows = json.loads(answer.read_text())["windows"]
    names = [name for name in windows[0] if name != "rows"]
    allowed = {as_row(window, names) for window in windows}
    seen, last = Counter(), False
    report = {"looks": 0, "rows": 0, "violations": []}
    while not last:
        last = stop.exists()
        try:
            dataset = af.scan(log)
        except ConfigError as error:
            if not any(text in str(error) for text in NOT_YET):
                report["violations"].append(str(error))
            time.sleep(0.02)
            continue
        now = Counter(as_row(row, names) for row in dataset.to_table(columns=names).to_pylist())
        again = Counter(
            as_row(row, names) for row in pl.scan_pyarrow_dataset(dataset).select(names).collect().to_dicts()
        )
        if now != again:
            report["violations"].append("the two engines differ")
        report["looks"] += 1
        report["violations"] += [f"{n} times: {row}" for row, n in now.items() if n > 1]
        report["violations"] += [f"foreign: {row}" for row in now.keys() - allowed]
        report["violations"] += [f"vanished: {row}" for row in seen - now]
        seen, report["rows"] = now, sum(now.values())
        report["violations"] = report["violations"][:50]
    out.write_text(json.dumps(report))


if __name__ == "__main__":
    watch(*map(Path, sys.argv[1:5]))
