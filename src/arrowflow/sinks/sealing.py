"""Which published files are put together into one, and how: pure, touches no file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from arrowflow.errors import DataLossError
from arrowflow.types import Attempt, StagedFile


def by_partition(files: Iterable[StagedFile]) -> list[list[StagedFile]]:
    """The files of each partition together, in the order given; partitions in the order they first come."""
    groups: dict[tuple[tuple[str, str | None], ...], list[StagedFile]] = {}
    for file in files:
        groups.setdefault(tuple(file.partition.items()), []).append(file)
    return list(groups.values())


def together(tables: Sequence[pa.Table], place: str) -> pa.Table:
    """All rows of `tables`, which differ in columns at most by some that were added later: those are null before.

    Raises
    ------
    DataLossError
        If one name has two types; `place` says where.
    """
    try:
        return pa.concat_tables(tables, promote_options="default").combine_chunks()
    except pa.ArrowInvalid as error:
        raise DataLossError(f"{place} and the files after it cannot be put together: {error}") from error


def sealed_source(attempt: Attempt, sink: str, number: int) -> str:
    """Where a sealed file is staged; its name tells it from an output of the epoch."""
    return f"{attempt.folder('staging')}/{sink}/sealed-{number:04d}.parquet"
