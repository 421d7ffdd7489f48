"""A stream: records in the order they are produced, and their digest. It makes none up before somebody asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

from arrowflow.protocols import SampleRecord


class Sample:
    """A `SampleStream` that is made when it is first read, then held in memory.

    Parameters
    ----------
    partitions : Mapping of str to int
        Topic to its number of partitions.
    make : callable
        Gives all records, in the order they are produced; offsets of a partition follow from it.
    """

    def __init__(self, partitions: Mapping[str, int], make: Callable[[], Iterable[SampleRecord]]) -> None:
        self._partitions = dict(partitions)
        self._make = make

    @cached_property
    def _records(self) -> tuple[SampleRecord, ...]:
        return tuple(self._make())

    @property
    def partitions(self) -> Mapping[str, int]:
        return self._partitions

    def records(self) -> Iterator[SampleRecord]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over partitions and records, each field with its length: no two streams share their text."""
        sha = hashlib.sha256(repr(sorted(self._partitions.items())).encode())
        for topic, partition, timestamp_ms, key, value in self._records:
            sha.update(f"\n{topic} {partition} {timestamp_ms} {_size(key)} {_size(value)}\n".encode())
            sha.update(key or b"")
            sha.update(value or b"")
        return sha.hexdigest()


def _size(field: bytes | None) -> str:
    return "null" if field is None else str(len(field))
