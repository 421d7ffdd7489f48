"""Tables of rows that are in no result: late and refused ones, as they came, with their place and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.api.frames import UTC, takeable
from arrowflow.api.partitions import Share, name_of
from arrowflow.types import I64, MIN_US, LateRows

_INDEX = "index"
_BOUNDS = ("_window_start", "_window_end")
LATE_COLUMNS = ("_partition", "_offset", "_reason", *_BOUNDS)
REFUSED_COLUMNS = ("_partition", "_offset", "_reason", "_detail")


def late_piece(share: Share, row: I64, late: LateRows) -> pa.Table:
    """Say of rows of a share (`row`: places in it) for which windows they were late."""
    bounds = {name: _times(us) for name, us in zip(_BOUNDS, (late.window_start_us, late.window_end_us), strict=True)}
    return pa.table({**_place(share, row), "_reason": _repeat(late.reason, len(row)), **bounds})


def refused_piece(share: Share | None, row: I64, reasons: Sequence[str], details: Sequence[str]) -> pa.Table:
    """Say of rows of a share, or of nobody's rows by their places in the push, why they were refused."""
    place = {_INDEX: pa.array(row, pa.int64())} if share is None else _place(share, row)
    return pa.table({**place, "_reason": pa.array(reasons, pa.string()), "_detail": pa.array(details, pa.string())})


def joined(rows: pa.Table, pieces: Sequence[pa.Table], columns: Sequence[str], *, numbered: bool) -> pa.Table:
    """Return the rows that `pieces` speak of in the order of the push, with `columns` after their own.

    Columns of those names that `rows` has are replaced. `numbered` says whether partitions are numbers.
    """
    partition = pa.int32() if numbered else pa.string()
    types = dict(zip(LATE_COLUMNS, (partition, pa.int64(), pa.string(), UTC, UTC), strict=True)) | {
        "_detail": pa.string()
    }
    fields: list[pa.Field[Any]] = [pa.field(_INDEX, pa.int64()), *(pa.field(name, types[name]) for name in columns)]
    schema = pa.schema(fields)
    said = pa.concat_tables([schema.empty_table(), *pieces], promote_options="default").sort_by(_INDEX)
    own = takeable(
        rows.drop_columns([name for name in columns if name in rows.column_names]).slice(0, None if pieces else 0)
    )
    kept = own.take(said.column(_INDEX))
    return pa.table([*kept.columns, *(said.column(name) for name in columns)], names=[*kept.column_names, *columns])


def _place(share: Share, row: I64) -> dict[str, pa.Array[Any]]:
    name = name_of(share.partition)
    kind = pa.int32() if isinstance(name, int) else pa.string()
    return {
        _INDEX: pa.array(share.index[row], pa.int64()),
        "_partition": pa.array([name] * len(row), kind),
        "_offset": pa.array(share.offset[row], pa.int64()),
    }


def _times(us: I64) -> pa.Array[Any]:
    return pa.array(us, pa.int64(), mask=np.asarray(us == MIN_US)).view(UTC)


def _repeat(value: str, n: int) -> pa.Array[Any]:
    return pa.array([value] * n, pa.string())
