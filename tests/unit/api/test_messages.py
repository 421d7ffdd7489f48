"""The source of a trial owes the engine what every source does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from arrowflow.api.messages import RowsSpec
from arrowflow.sources.gathering import Records
from arrowflow.testing.conformance.sources import SourceConformance


class TestRowsSource(SourceConformance):
    def make(self, content):
        return RowsSpec(
            {
                number: Records(
                    np.arange(len(rows)),
                    np.array([row.timestamp_us for row in rows], np.int64),
                    np.zeros(len(rows), np.bool_),
                    pa.array([row.key for row in rows], pa.binary()),
                    pa.array([row.value for row in rows], pa.binary()),
                )
                for number, rows in enumerate(content)
            }
        )
