"""The rows of one table, gathered from its files: as many as recorded, none of a later epoch, none twice (I3, I4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from arrowflow.audit.report import Report
from arrowflow.audit.told import Table

_EPOCH = "__af_epoch"
_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(slots=True)
class Contents:
    """What names each row, for all files of a table."""

    table: Table
    rows: int = 0
    _names: list[pa.Table] = field(default_factory=list)

    def take(self, report: Report, path: str, data: bytes, rows: int, epoch: int | None) -> None:
        """Read one file that should hold `rows` rows, of `epoch` at the latest where that is known."""
        try:
            table = pq.ParquetFile(pa.BufferReader(data)).read()
        except (pa.ArrowException, OSError, ValueError) as error:
            report.add("I3", path, f"has the recorded bytes and cannot be read: {error}")
            return
        self.rows += table.num_rows
        if table.num_rows != rows:
            report.add("I3", path, f"holds {table.num_rows} rows, its record says {rows}")
        if epoch is not None and _EPOCH in table.column_names and table.num_rows:
            newest = pc.max(table.column(_EPOCH)).as_py()
            if newest is None or newest > epoch:
                report.add("I5", path, f"holds rows of epoch {newest}, and was written by record {epoch}")
        named = self._named(table, path)
        if named is not None:
            self._names.append(named)

    def apart(self) -> Contents:
        """For files whose rows are in others too: they are read, and not counted."""
        return Contents(self.table)

    def check_rows(self, report: Report) -> None:
        """Raise no row twice: what names a row is in one file, once."""
        if not self._names or self.table.kind == "preview":
            return
        names = list(self.table.names)
        counted = pa.concat_tables(self._names).group_by(names).aggregate([([], "count_all")])
        twice = counted.filter(pc.greater(counted.column("count_all"), pa.scalar(1, pa.int64())))
        for row in twice.slice(0, 10).to_pylist():
            count = row.pop("count_all")
            told = ", ".join(f"{name} {value!r}" for name, value in row.items())
            report.add("I4", self.table.root, f"holds {count} rows of {told}")
        if twice.num_rows > 10:
            report.add("I4", self.table.root, f"holds {twice.num_rows - 10} more rows more than once")

    def _named(self, table: pa.Table, path: str) -> pa.Table | None:
        """The columns that name a row, as text; those that became folders come from the path. None where one is missing."""
        inside = path.removeprefix(self.table.root).split("/")
        folders = dict(part.split("=", 1) for part in inside if "=" in part)
        columns: dict[str, pa.ChunkedArray[Any] | pa.Array[Any]] = {}
        for name in self.table.names:
            if name in table.column_names:
                columns[name] = table.column(name).cast(pa.string())
            elif name in folders:
                value = None if folders[name] == _NULL else unquote(folders[name])
                columns[name] = pa.repeat(pa.scalar(value, pa.string()), table.num_rows)
            else:
                return None
        return pa.table(columns)
