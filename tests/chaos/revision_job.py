"""A job whose late rows correct windows, on disk, with the real window operator; importable, and a process to kill.

As a process: ``python -m tests.chaos.revision_job FOLDER`` with the failpoint variables of the command line. What must
come out is worked out by a loop over the records (`newest_revisions`).
"""

from __future__ import annotations

import os
import random
import sys
from collections import defaultdict
from pathlib import Path

from tests.support.dealt import DealtSpec
from tests.support.small import FIELDS, SECOND_US, rows

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.decoders.json import JsonSpec
from arrowflow.engine import start
from arrowflow.errors import ArrowflowError
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import Checkpoint, Emit, EventTime, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.protocols import SampleRecord
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.sinks.preview import PreviewSpec
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

SIZE_S, TOLERANCE_S, LATENESS_S, CORRECT_S = 60, 10, 5, 300
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
Event = tuple[str, int, float]


def events(partition: int, many: int = 400) -> list[Event]:
    """A row every 5 s, one in four of them up to ten minutes late."""
    dice = random.Random(f"revisions {partition}")
    lag = [0, 0, 0, 0, 0, 0, 90, 150, 250, 600]
    return [
        (dice.choice("ab"), 90_000 + 5 * turn - dice.choice(lag), float(dice.randint(0, 99))) for turn in range(many)
    ]


def records(many: int = 400) -> tuple[SampleRecord, ...]:
    return tuple(record for part in range(2) for record in rows(*events(part, many), partition=part))


def newest_revisions(many: int = 400) -> dict[tuple[str, int], tuple[int, float]]:
    """The count and sum of every (key, window start), rows beyond correction left out."""
    windows: dict[tuple[str, int], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for part in range(2):
        newest = None
        for key, second, value in events(part, many):
            clock = None if newest is None else newest - TOLERANCE_S
            newest = second if newest is None else max(newest, second)
            begin = second // SIZE_S * SIZE_S
            if clock is None or begin + SIZE_S + LATENESS_S + CORRECT_S > clock:
                n, total = windows[key, begin]
                windows[key, begin] = n + 1, total + value
    return dict(windows)


def job(folder: Path, *, seed: int = 0, epoch_rows: int = 25, many: int = 400) -> Pipeline:
    """The pipeline; `seed` decides how its records are dealt."""
    window = WindowSpec(
        Tumbling(SIZE_S * SECOND_US),
        ("k",),
        (Aggregate("n", "count"), Aggregate("total", "sum", "v")),
        LATENESS_S * SECOND_US,
        correct_for_us=CORRECT_S * SECOND_US,
    )
    return Pipeline(
        name="revisions",
        source=SourceNode("dealt", DealtSpec(records(many), seed), JsonSpec(FIELDS)),
        event_time=EventTime("t", TOLERANCE_S * SECOND_US),
        operator=OperatorNode("window", window, late="correct"),
        sinks=(
            SinkNode("out", ParquetSpec(str(folder / "out"), ("k", "hour"))),
            SinkNode("late", ParquetSpec(str(folder / "late")), "late"),
            SinkNode("open", PreviewSpec(str(folder / "open")), "open"),
        ),
        emit=Emit("on_update"),
        checkpoint=Checkpoint(
            LocalLogSpec(str(folder / "_log")), max_epoch_rows=epoch_rows, max_slice_rows=10, full_every=4
        ),
    )


def main() -> int:
    folder = Path(sys.argv[1])
    traces = map(os.environ.get, ("ARROWFLOW_FAILPOINT_TRACE", "ARROWFLOW_TRACE_PROTOCOL"))
    failpoints = Failpoints.parse(os.environ.get("ARROWFLOW_FAILPOINTS", ""), *traces)
    try:
        start(job(folder, seed=os.getpid()), TO_THE_END, failpoints=failpoints).result()
    except ArrowflowError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
