"""Choose columns and their order. Never touches a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.transforms.compiler import near_names


@dataclass(frozen=True, slots=True)
class Select:
    """Keeps the columns named, in the order given; no copy.

    Parameters
    ----------
    columns : tuple of str
        At least one, each once.

    Raises
    ------
    ConfigError
        When built, for none or the same name twice; on `output_schema`, for a column that is not there.
    """

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if not self.columns or twice:
            raise ConfigError(f"select {list(self.columns)}: name at least one column, and each only once")

    @property
    def name(self) -> str:
        return "select"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        for name in self.columns:
            if name not in schema.names:
                raise ConfigError(f"select: no column {name!r}: {near_names(name, schema.names)}")
        return pa.schema([schema.field(name) for name in self.columns]).with_metadata(schema.metadata)

    def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        return table.select(list(self.columns)), np.ones(table.num_rows, np.bool_)
