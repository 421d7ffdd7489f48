"""A job from a dealt sample into a topic and a table, in epochs of 112 rows or so and chunks of 40; importable, and a process to kill.

As a process: ``python -m tests.chaos.topic_job FOLDER BOOTSTRAP TOPIC ROWS TIMEOUT`` with the failpoint variables of the
command line. No window, so that a process starts in a moment; the answer is read from the sample by the standard library.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path

from tests.support.committed import Committed, committed_records
from tests.support.dealt import DealtSpec

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.engine import start
from arrowflow.errors import ArrowflowError
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import Checkpoint, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.samples import stream
from arrowflow.samples.answers.reading import Refused, read
from arrowflow.sinks.kafka.spec import KafkaSinkSpec
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.testing.answers import read_rows
from arrowflow.windows.spec import PassThroughSpec

TO_THE_END = RunOptions(until_caught_up=True, take_over=True)
COLUMNS = {"planta": "string", "linea": "string", "unidades_producidas": "int64"}
SEED = 11


def job(folder: Path, bootstrap: str, topic: str, rows: int = 900, timeout_s: float = 30.0) -> Pipeline:
    """Good rows to `topic` and a table, dead letters to a topic beside it."""
    sample = DealtSpec(tuple(stream("production", rows=rows, seed=SEED).records()), largest_slice=60)
    fields = tuple(Field(name, kind) for name, kind in COLUMNS.items())
    here = {"brokers": bootstrap, "transaction_timeout_s": timeout_s}
    return Pipeline(
        name=f"passing-{topic}",
        source=SourceNode("dealt", sample, JsonSpec(fields), max_error_rate=1.0),
        operator=OperatorNode("rows", PassThroughSpec()),
        sinks=(
            SinkNode("alerts", KafkaSinkSpec(topic, key=("planta", "linea"), chunk_rows=40, **here)),
            SinkNode("table", ParquetSpec(str(folder / "table"))),
            SinkNode("dead", KafkaSinkSpec(f"{topic}.dead", **here), "dead"),
        ),
        checkpoint=Checkpoint(LocalLogSpec(str(folder / "log")), cadence_s=60.0, max_epoch_rows=112, max_slice_rows=60),
    )


def answer(rows: int = 900) -> tuple[Counter, Counter]:
    """What must come out: (partition, offset, row) of good records, (partition, offset, reason) of bad ones."""
    good, bad, next_offset = Counter(), Counter(), Counter()
    for record in stream("production", rows=rows, seed=SEED).records():
        offset = next_offset[record.partition]
        next_offset[record.partition] += 1
        if record.value is None:
            continue
        try:
            row = read(record.value, COLUMNS)
        except Refused as refused:
            bad[record.partition, offset, refused.reason] += 1
        else:
            good[record.partition, offset, *row.values()] += 1
    return good, bad


def wrong(folder: Path, bootstrap: str, topic: str, rows: int = 900) -> list[str]:
    """Every way in which the topics and the table differ from the answer, and the headers from an unbroken count."""
    good, bad = answer(rows)
    alerts, dead = (committed_records(bootstrap, each, settled=True) for each in (topic, f"{topic}.dead"))
    found = Counter(_row(record) for part in alerts for record in part)
    letters = Counter(
        (value["_partition"], value["_offset"], value["_reason"]) for part in dead for value in map(_value, part)
    )
    table = Counter(tuple(row.values()) for row in read_rows(folder / "table", ["_partition", "_offset", *COLUMNS]))
    differences = [
        f"{what}: {name} {row} x{n}"
        for what, told, wanted in (("topic", found, good), ("dead letters", letters, bad), ("table", table, good))
        for name, more in (("missing", wanted - told), ("too many", told - wanted))
        for row, n in list(more.items())[:5]
    ]
    return [*differences, *(fault for parts in (alerts, dead) for fault in _out_of_order(parts))]


def _out_of_order(parts: list[list[Committed]]) -> list[str]:
    """Sequence numbers of each epoch must be 0, 1, 2 …, each once, and ascend within a partition."""
    places = [[(int(r.headers["af-epoch"]), int(r.headers["af-seq"])) for r in part] for part in parts]
    by_epoch: dict[int, list[int]] = {}
    for epoch, seq in sorted(place for part in places for place in part):
        by_epoch.setdefault(epoch, []).append(seq)
    gaps = [f"epoch {epoch} has {seqs[:20]}" for epoch, seqs in by_epoch.items() if seqs != list(range(len(seqs)))]
    return gaps + [f"partition {n} is out of order" for n, part in enumerate(places) if part != sorted(part)]


def _value(record: Committed) -> dict:
    return json.loads(record.value)


def _row(record: Committed) -> tuple:
    value = _value(record)
    return value["_partition"], value["_offset"], *(value[name] for name in COLUMNS)


def main() -> int:
    folder, bootstrap, topic, rows, timeout_s = sys.argv[1:6]
    failpoints = Failpoints.parse(
        os.environ.get("ARROWFLOW_FAILPOINTS", ""), os.environ.get("ARROWFLOW_FAILPOINT_TRACE")
    )
    try:
        start(
            job(Path(folder), bootstrap, topic, int(rows), float(timeout_s)), TO_THE_END, failpoints=failpoints
        ).result()
    except ArrowflowError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
