"""A process of its own that reads a topic whose every other record is a string of 50 MB, and says how its memory grew.

``python -m tests.support.huge FOLDER MANY`` prints folded, too large, epochs and the growth of the peak in MiB.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from tests.support.dealt import DealtSource, DealtSpec
from tests.unit.phases.test_bad_input_rows import TO_THE_END, passing, record

from arrowflow.engine import start
from arrowflow.types import Fetched, OffsetRange, RawBatch


class Huge(DealtSource):
    """Makes each record when it is read, one a slice."""

    def read(self, after, bounds):
        ((part, at),) = after.items()
        value = b'{"n":1}' if at % 2 else b'{"s":"' + b"x" * 50_000_000 + b'"}'
        nothing = np.zeros(1, np.int64)
        batch = RawBatch(
            part, nothing + at, nothing, nothing > 0, pa.array([None], pa.binary()), pa.array([value], pa.binary())
        )
        return Fetched({part: OffsetRange(at, at + 1)}, (batch,))


class HugeSpec(DealtSpec):
    def build(self, name, context):
        return Huge(name, self, context)


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    folder, many = Path(sys.argv[1]), int(sys.argv[2])
    start(passing(folder, [record(b"")] * 2), TO_THE_END).result()
    job = passing(folder, HugeSpec((record(b"x"),) * (2 * many)), name="huge")
    job = replace(job, checkpoint=replace(job.checkpoint, max_epoch_bytes=100_000_000, cadence_s=600.0))
    before = peak_mb()
    finished = start(job, TO_THE_END).result()
    balance = finished.balance
    print(balance.folded, balance.dead_lettered["too_large"], finished.epochs, peak_mb() - before)
