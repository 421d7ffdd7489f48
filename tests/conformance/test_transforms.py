"""Each transform passes the suite every transform must pass."""

import pyarrow as pa

from arrowflow.testing.conformance.transforms import TransformConformance
from arrowflow.testing.transforms import KeepIf
from arrowflow.transforms import Derive, Filter, Select


class Rows(TransformConformance):
    def table(self):
        return pa.table(
            {
                "k": pa.array(["a", None, "", "ñ", "a", "b", "c"], pa.string()),
                "v": pa.array([5, 4, None, -3, 0, 2**63 - 1, 1], pa.int64()),
                "t": pa.array([0, 1, None, -1, 2**40, 3, 4], pa.timestamp("us", "UTC")),
            }
        )


class TestFilter(Rows):
    def transform(self):
        return Filter("v > 0 AND k IS NOT NULL", "too_small")


class TestFilterThatKeepsNothing(Rows):
    def transform(self):
        return Filter("v IS NULL AND v IS NOT NULL")


class TestDerive(Rows):
    def transform(self):
        return Derive({"k": "UPPER(k)", "half": "v / 2.0", "copy": "t"})


class TestSelect(Rows):
    def transform(self):
        return Select(("t", "k"))


class TestKeepIf(Rows):
    def transform(self):
        return KeepIf("v", 1)
