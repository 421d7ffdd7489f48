"""A commit that does not add up is refused, whichever way rows went missing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.support.dealt import DealtSource, DealtSpec
from tests.support.small import pipeline, results, rows, window

from arrowflow.engine import start
from arrowflow.errors import BalanceError
from arrowflow.pipeline import RunOptions
from arrowflow.types import Fetched

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True)
RECORDS = rows(("a", 1, 1.0), ("a", 2, 2.0), ("b", 3, 3.0), ("a", 30, 4.0))


@dataclass(frozen=True)
class Lossy(DealtSpec):
    """A source that walks over a batch and does not hand it out."""

    def build(self, name, context):
        class Losing(DealtSource):
            def read(self, after, bounds):
                fetched = super().read(after, bounds)
                return Fetched(fetched.ranges, fetched.batches[:-1])

        return Losing(name, self, context)


class HalfFolded:
    """An operator that folds half of what it says it folded."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def fold(self, batch):
        half = np.arange(len(batch)) < len(batch) // 2
        return replace(self.inner.fold(batch.keep(half)), folded=len(batch))


@dataclass(frozen=True)
class HalfFoldedSpec:
    allowed_lateness_us: int = 0

    def build(self, schema):
        return HalfFolded(window().build(schema))

    def fingerprint(self):
        return window().fingerprint()


def test_a_batch_dropped_between_fetch_and_decode_is_noticed_by_its_offsets(tmp_path):
    job = pipeline(tmp_path, Lossy(tuple(RECORDS)))

    with pytest.raises(BalanceError, match=r"events\[0\]: offsets 0 to 4 are 4, walked 0"):
        start(job, TO_THE_END).result()
    assert results(tmp_path) == []


def test_rows_lost_in_the_operator_are_noticed_by_recounting_the_state(tmp_path):
    job = pipeline(tmp_path, RECORDS, operator=HalfFoldedSpec())

    with pytest.raises(BalanceError, match="rows were folded, but the state grew by"):
        start(job, TO_THE_END).result()
    assert results(tmp_path) == []


def test_a_whole_run_balances_and_gives_the_windows(tmp_path):
    finished = start(pipeline(tmp_path, RECORDS), TO_THE_END).result()

    assert finished.balance.read == finished.balance.accounted == 4
    assert results(tmp_path) == [("a", 0, 2, 3.0), ("a", 30, 1, 4.0), ("b", 0, 1, 3.0)]
