"""Tables of rows that are in no result: late and refused ones, as they came, with their place and the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
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
_TYPES: Mapping[str, pa.DataType] = MappingProxyType(
    {
        _INDEX: pa.int64(),
        "_offset": pa.int64(),
        "_reason": pa.string(),
        "_detail": pa.string(),
        **dict.fromkeys(_BOUNDS, UTC),
    }
)


def late_piece(share: Share, row: I64, late: LateRows) -> pa.Table:
    """Say of rows of a share (`row`: places in it) for which windows they were late."""
    bounds = {name: _times(us) for name, us in zip(_BOUNDS, (late.window_start_us, late.window_end_us), strict=True)}
    return pa.table({**_place(share, row), "_reason": _repeat(late.reason, len(row)), **bounds})


def refused_piece(share: Share | None, row: I64, reasons: Sequence[str], details: Sequence[str]) -> pa.Table:
    """Say of rows of a share, or of nobody's rows by their places in the push, why they were refused."""
    place = {_INDEX: pa.array(row, pa.int64())} if share is None else _place(share, row)
    return pa.table({**place, "_reason": pa.array(reasons, pa.string()), "_detail": pa.array(details, pa.string())})


@dataclass(slots=True)
class Aside:
    """Rows of one push that are in no result; the table is made when somebody looks.

    Parameters
    ----------
    rows : Table
        The push, as it came.
    pieces : sequence of Table
        What is to be said of some of them, by `late_piece` or `refused_piece`.
    columns : sequence of str
        What follows their own columns; own ones of these names are replaced.
    numbered : bool
        Whether partitions are numbers.
    """

    rows: pa.Table
    pieces: Sequence[pa.Table]
    columns: Sequence[str]
    numbered: bool
    _made: pa.Table | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not self.pieces:  # nothing of the push is needed any more
            self.rows = self.rows.slice(0, 0)

    @property
    def table(self) -> pa.Table:
        """The rows in the order of the push, with `columns` after their own."""
        if self._made is None:
            self._made = self._joined()
        return self._made

    def emptied(self) -> Aside:
        """No rows, in the same columns."""
        return Aside(self.rows, (), self.columns, self.numbered)

    def _joined(self) -> pa.Table:
        types = {**_TYPES, "_partition": pa.int32() if self.numbered else pa.string()}
        fields: list[pa.Field[Any]] = [pa.field(name, types[name]) for name in (_INDEX, *self.columns)]
        said = pa.concat_tables([pa.schema(fields).empty_table(), *self.pieces], promote_options="default")
        said = said.sort_by(_INDEX)
        own = [at for at, name in enumerate(self.rows.column_names) if name not in self.columns]
        kept = takeable(self.rows.select(own)).take(said.column(_INDEX))
        names = [*kept.column_names, *self.columns]
        return pa.table([*kept.columns, *(said.column(name) for name in self.columns)], names=names)


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
