"""Aggregate functions as a user would write them, good ones and bad ones. Judges nothing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.windows.aggregates.custom import CustomAggregate


class Spread(CustomAggregate[dict]):
    """The largest minus the smallest integer, if it is at least `above`."""

    name = "spread"

    def __init__(self, above=0):
        self.above = above

    def output(self, kind):
        return pa.decimal128(38, 0) if pa.types.is_integer(kind) else None

    def state(self, kind):
        return pa.struct([("low", pa.int64()), ("high", pa.int64())])

    def initial(self):
        return {"low": None, "high": None}

    def add(self, state, values):
        found = pc.min_max(values).as_py()
        return self.merge(state, {"low": found["min"], "high": found["max"]})

    def merge(self, left, right):
        if left["low"] is None or right["low"] is None:
            return right if left["low"] is None else left
        return {"low": min(left["low"], right["low"]), "high": max(left["high"], right["high"])}

    def finish(self, state):
        if state["low"] is None or state["high"] - state["low"] < self.above:
            return None
        return state["high"] - state["low"]

    def fingerprint(self):
        return {"name": self.name, "above": self.above}
