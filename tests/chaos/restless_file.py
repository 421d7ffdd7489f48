"""Three files that are replaced without pause, for readers to race: ``python -m tests.chaos.restless_file FOLDER WAY STOP``.

WAY is ``grown`` (as `arrowflow.sinks.encoding.grow` does it, never afresh) or ``fresh`` (every file written anew, the control).
"""

import random
import sys
import time
from pathlib import Path

import pyarrow as pa

from arrowflow.sinks.encoding import encode

ROWS = 200
FILES = ("a", "b", "c")


def table(revision, dice):
    text = ["x" * dice.randint(0, 200) if revision % 2 else str(dice.random()) for _ in range(ROWS)]
    keys = [f"key {i}" for i in range(ROWS)]
    columns = {"k": keys, "text": text, "v": [dice.random() for _ in keys], "revision": [revision] * ROWS}
    return pa.table(columns)


def replace_without_pause(folder, way, stop):
    dice, old, revision = random.Random(1), {}, 0
    (folder / "table").mkdir(parents=True)
    while not stop.exists():
        revision += 1
        for name in FILES:
            rows = table(revision, dice)
            grows = way == "grown" and name in old
            old[name] = encode(rows, "snappy", old[name]) if grows else encode(rows, "snappy")
            (folder / "staged").write_bytes(old[name])
            (folder / "staged").rename(folder / "table" / f"{name}.parquet")
        time.sleep(0.01)
    print(revision)


if __name__ == "__main__":
    replace_without_pause(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
