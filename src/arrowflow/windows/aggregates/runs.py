"""Many sorted runs in one array, cell after cell, and their way to and from lists. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.arrays import Array
from arrowflow.windows.kernels.sorted import unite_runs


@dataclass(frozen=True, slots=True)
class Runs:
    """Keys ``key[edge[i]:edge[i + 1]]``, strictly ascending, for cell i, and how often each is there."""

    edge: I64
    key: I64
    count: I64

    @classmethod
    def of_rows(cls, slot: I64, key: I64) -> tuple[I64, Runs]:
        """The slots among `slot`, ascending, and the runs of their keys; rows are sorted by slot, then by key."""
        fresh = np.ones(len(slot), np.bool_)
        fresh[1:] = (slot[1:] != slot[:-1]) | (key[1:] != key[:-1])
        first = np.flatnonzero(fresh)
        count = np.diff(first, append=len(slot))
        slot, key = slot[first], key[first]
        slots, edge = np.unique(slot, return_index=True)
        return slots, cls(np.append(edge, len(key)).astype(np.int64), key, count.astype(np.int64))

    @classmethod
    def of_cells(cls, keys: Sequence[I64], counts: Sequence[I64]) -> Runs:
        """One run per entry."""
        edge = np.zeros(len(keys) + 1, np.int64)
        np.cumsum([len(each) for each in keys], out=edge[1:])
        nothing = np.empty(0, np.int64)
        return cls(edge, np.concatenate([nothing, *keys]), np.concatenate([nothing, *counts]))

    def united(self, other: Runs) -> Runs:
        """The runs of both, cell by cell."""
        size = len(self.key) + len(other.key)
        edge, key, count = np.empty_like(self.edge), np.empty(size, np.int64), np.empty(size, np.int64)
        unite_runs(self.edge, self.key, self.count, other.edge, other.key, other.count, edge, key, count)
        return Runs(edge, key[: edge[-1]], count[: edge[-1]])

    def sizes(self) -> I64:
        """int64[c]: how many keys each cell has."""
        return np.diff(self.edge)

    def keys(self, cell: int) -> I64:
        """A copy of one cell's keys, so that it holds no other cell's memory."""
        return self.key[self.edge[cell] : self.edge[cell + 1]].copy()

    def counts(self, cell: int) -> I64:
        """A copy of one cell's counts."""
        return self.count[self.edge[cell] : self.edge[cell + 1]].copy()


def list_array(edge: I64, items: Array, null: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Array:
    """Lists ``items[edge[i]:edge[i + 1]]``, null where `null` and empty."""
    offsets = pa.array(edge.astype(np.int32), pa.int32())
    return pa.ListArray.from_arrays(offsets, items, mask=pa.array(null, pa.bool_()))


def list_edges(array: Array) -> tuple[I64, Array]:
    """The inverse of `list_array`: null lists are empty."""
    assert isinstance(array, pa.ListArray)
    sizes = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return np.append(0, np.cumsum(sizes, dtype=np.int64)), array.flatten()
