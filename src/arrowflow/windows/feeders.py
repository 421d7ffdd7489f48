"""Partitions as small numbers, private to one operator; their order is that of source, topic and partition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.types import I64, SourcePartition
from arrowflow.windows.arrays import Array

FEEDER = pa.struct([("source", pa.string()), ("topic", pa.string()), ("partition", pa.int32())])
NOBODY = -1


class Feeders:
    """Partitions in the order in which they were first met."""

    def __init__(self) -> None:
        self._number: dict[SourcePartition, int] = {}
        self.rank: I64 = np.empty(0, np.int64)
        """Place of each partition number in the order of (source, topic, partition)."""

    @property
    def all(self) -> Sequence[SourcePartition]:
        """Every partition met so far, by number."""
        return list(self._number)

    def number(self, partition: SourcePartition) -> int:
        """The partition's number, a new one at the first meeting."""
        known = self._number.get(partition)
        if known is not None:
            return known
        self._number[partition] = len(self._number)
        places = {each: place for place, each in enumerate(sorted(self._number))}
        self.rank = np.array([places[each] for each in self._number], np.int64)
        return self._number[partition]

    def array(self, numbers: I64) -> Array:
        """Partitions by number as structs, null for `NOBODY`."""
        everyone = pa.array([each._asdict() for each in self._number], FEEDER)
        return everyone.take(pa.array(numbers, pa.int64(), mask=numbers == NOBODY))

    def read(self, array: Array) -> I64:
        """The inverse of `array`."""
        assert isinstance(array, pa.StructArray)
        valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), np.bool_)
        coded = {name: array.field(name).dictionary_encode() for name in ("source", "topic", "partition")}
        codes = [each.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64) for each in coded.values()]
        packed = codes[0]
        for code, each in zip(codes[1:], list(coded.values())[1:], strict=True):
            packed = packed * max(1, len(each.dictionary)) + code
        numbers = np.full(len(array), NOBODY, np.int64)
        distinct, first, inverse = np.unique(packed[valid], return_index=True, return_inverse=True)
        rows = np.flatnonzero(valid)[first]
        structs: Array = array.take(pa.array(rows, pa.int64()))
        found = [self.number(SourcePartition(**struct)) for struct in structs.to_pylist() if struct is not None]
        if len(distinct):
            numbers[valid] = np.array(found, np.int64)[inverse]
        return numbers
