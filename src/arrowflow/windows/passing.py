"""The operator of a pipeline without a window: rows go through at once. It keeps no state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError, StateRefused
from arrowflow.types import MIN_US, RESERVED, Closed, Folded, RowBatch, SourcePartition
from arrowflow.windows.arrays import Array
from arrowflow.windows.columns import whole

_UTC = pa.timestamp("us", tz="UTC")
_RESERVED_TYPES = dict(zip(RESERVED, (pa.string(), pa.int32(), pa.int64(), _UTC), strict=True))


def passed_schema(schema: pa.Schema) -> pa.Schema:
    """The rows' own columns, then the reserved ones; raises `ConfigError` for a column with a reserved name."""
    for name in schema.names:
        if name in RESERVED or name.startswith("__af_"):
            raise ConfigError(f"column {name!r}: names of that form are reserved; rename the column in the schema")
    return pa.schema([*schema, *(pa.field(name, kind) for name, kind in _RESERVED_TYPES.items())])


class PassThrough:
    """Gives every row on, with topic, partition, offset and record timestamp."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = passed_schema(schema)

    def output_schema(self) -> pa.Schema:
        return self._schema

    def fold(self, batch: RowBatch) -> Folded:
        """Every row is folded, which here means passed on; `_timestamp` is null where a record has none."""
        n = len(batch)
        stamp = batch.raw.timestamp_us[batch.row]
        fields = list(self._schema)[: -len(RESERVED)]
        own = [whole(batch.table.column(field.name), field.type) for field in fields]
        reserved: list[Array] = [
            pa.repeat(pa.scalar(batch.partition.topic, pa.string()), n),
            pa.repeat(pa.scalar(batch.partition.partition, pa.int32()), n),
            pa.array(batch.offset, pa.int64()),
            pa.array(stamp, pa.int64(), mask=np.asarray(stamp == MIN_US)).view(_UTC),
        ]
        passed = pa.Table.from_arrays([*own, *reserved], schema=self._schema)
        return Folded(folded=passed.num_rows, passed=passed)

    def close(self, clocks: Mapping[SourcePartition, int], watermark_us: int, epoch: int = -1) -> Closed:
        return Closed(self._schema.empty_table(), 0, 0)

    def close_fed_by(self, partitions: Sequence[SourcePartition] | None, label: str, epoch: int = -1) -> Closed:
        return Closed(self._schema.empty_table(), 0, 0)

    def interim(self) -> pa.Table:
        return self._schema.empty_table()

    def delta(self) -> pa.Table:
        return pa.table({})

    def snapshot(self) -> pa.Table:
        return pa.table({})

    def parts(self) -> Iterator[pa.Table]:
        return iter([self.snapshot()])

    def restore(self, full: pa.Table | Sequence[pa.Table] | None, deltas: Sequence[pa.Table]) -> None:
        """There is nothing to restore; a table with rows or columns belongs to another query."""
        for table in [*([full] if isinstance(full, pa.Table) else full or ()), *deltas]:
            if table.num_columns or table.num_rows:
                raise StateRefused(
                    f"the state has columns {', '.join(table.column_names)} but this pipeline has no window; "
                    "run the query that wrote it, or start over with a new checkpoint folder and empty tables"
                )

    def digest(self) -> str:
        return "0" * 32

    @property
    def open_windows(self) -> int:
        return 0

    @property
    def folded_rows(self) -> int:
        return 0

    @property
    def oldest_home(self) -> int | None:
        return None
