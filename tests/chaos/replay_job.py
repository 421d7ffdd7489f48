"""configs/gold.toml over an archive of its sample, cut into many small epochs; importable, and a process to kill.

As a process: ``python -m tests.chaos.replay_job ARCHIVE LAKE [KEEP [sealed]]`` with the failpoint variables of the command line;
KEEP is how many records are kept, for runs that collect the others. The lake is a folder or an address in a bucket.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from arrowflow.config import load
from arrowflow.engine import start
from arrowflow.errors import ArrowflowError
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.samples import answer, stream, write_ndjson
from arrowflow.sources.replay import ReplaySpec
from arrowflow.testing.answers import wrong_dead_letters, wrong_late_rows, wrong_rows

GOLD = Path(__file__).parents[2] / "configs" / "gold.toml"
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)


def write_archive(path: Path, rows: int, seed: int = 7) -> dict:
    """Write the sample's archive and return its answer."""
    with path.open("w", encoding="utf-8") as file:
        write_ndjson(stream("production", rows=rows, seed=seed), file)
    return answer("production", rows=rows, seed=seed)


def gold_over(
    archive: Path,
    lake: Path | str,
    *,
    epoch_rows: int = 400,
    slice_rows: int = 150,
    keep: int | None = None,
    sealed: bool = False,
) -> Pipeline:
    """The gold pipeline as it is, reading the archive, in epochs of at most `epoch_rows` or so.

    So many records as `keep` says are kept; with `sealed` the table's small files are put together as soon as can be.
    """
    gold = load(GOLD, {"ARROWFLOW_LAKE": str(lake), "ARROWFLOW_BROKERS": "127.0.0.1:1"})
    source = replace(gold.source, spec=ReplaySpec(paths=(str(archive),)))
    checkpoint = replace(
        gold.checkpoint, cadence_s=60.0, max_epoch_rows=epoch_rows, max_slice_rows=slice_rows, full_every=4
    )
    if keep is not None:
        checkpoint = replace(checkpoint, keep_records=keep, keep_for_s=0.0)
    sinks = gold.sinks
    if sealed:
        sinks = tuple(
            replace(node, spec=replace(node.spec, seal_us=1)) if node.stream == "rows" else node for node in sinks
        )
    return replace(gold, source=source, checkpoint=checkpoint, sinks=sinks)


def gold_collecting(archive: Path, lake: Path | str, keep: int, *, sealed: bool = False) -> Pipeline:
    """The same in smaller epochs, so that there are many records to collect."""
    return gold_over(archive, lake, epoch_rows=100, slice_rows=100, keep=keep, sealed=sealed)


def wrong(sheet: dict, lake: Path) -> list[str]:
    """Every way in which the lake differs from the answer."""
    return [
        *wrong_rows(sheet, lake / "gold" / "production"),
        *wrong_late_rows(sheet, lake / "_late" / "gold_production"),
        *wrong_dead_letters(sheet, lake / "_dead" / "gold_production"),
    ]


def main() -> int:
    archive, lake = Path(sys.argv[1]), sys.argv[2]
    traces = map(os.environ.get, ("ARROWFLOW_FAILPOINT_TRACE", "ARROWFLOW_TRACE_PROTOCOL"))
    failpoints = Failpoints.parse(os.environ.get("ARROWFLOW_FAILPOINTS", ""), *traces)
    try:
        keep, sealed = sys.argv[3:4], sys.argv[4:] == ["sealed"]
        job = gold_collecting(archive, lake, int(keep[0]), sealed=sealed) if keep else gold_over(archive, lake)
        start(job, TO_THE_END, failpoints=failpoints).result()
    except ArrowflowError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
