"""Many sorted runs in one array, cell after cell, and their way to and from lists. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from arrowflow.types import I64, Bool
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
        first = np.flatnonzero(changes(slot) | changes(key))
        count = np.diff(first, append=len(slot))
        slot, key = slot[first], key[first]
        starts = np.flatnonzero(changes(slot))
        return slot[starts], cls(np.append(starts, len(key)), key, count)

    def united(self, other: Runs) -> Runs:
        """The runs of both, cell by cell; counts are added."""
        size = len(self.key) + len(other.key)
        edge, key, count = np.empty_like(self.edge), np.empty(size, np.int64), np.empty(size, np.int64)
        unite_runs(self.edge, self.key, self.count, other.edge, other.key, other.count, edge, key, count)
        return Runs(edge, key[: edge[-1]], count[: edge[-1]])

    @property
    def sizes(self) -> I64:
        """int64[c]: how many keys each cell has."""
        return np.diff(self.edge)


def join(parts: Sequence[I64]) -> tuple[I64, I64]:
    """Parts one after another, and the edges between them, from 0 to the end."""
    edge = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=edge[1:])
    return edge, np.concatenate([np.empty(0, np.int64), *parts])


def cut(edge: I64, whole: I64) -> list[I64]:
    """The inverse of `join`; copies, so that no part holds the memory of all."""
    return [whole[a:b].copy() for a, b in pairwise(edge.tolist())]


def list_array(edge: I64, items: Array, null: Bool) -> Array:
    """Lists ``items[edge[i]:edge[i + 1]]``, null where `null` and empty."""
    offsets = pa.array(edge.astype(np.int32), pa.int32())
    return pa.ListArray.from_arrays(offsets, items, mask=pa.array(null, pa.bool_()))


def list_edges(array: Array) -> tuple[I64, Array]:
    """The inverse of `list_array`: null lists are empty."""
    assert isinstance(array, pa.ListArray)
    sizes = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return np.append(0, np.cumsum(sizes, dtype=np.int64)), array.flatten()


def changes(sorted_: I64) -> Bool:
    """bool[n]: where another value begins."""
    out = np.ones(len(sorted_), np.bool_)
    np.not_equal(sorted_[1:], sorted_[:-1], out=out[1:])
    return out
