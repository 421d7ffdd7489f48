"""A filter without an expression language, for tests that are not about one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError


@dataclass(frozen=True, slots=True)
class KeepIf:
    """The `Transform` protocol for tests: keeps rows whose `column` is at least `minimum`; null is not kept."""

    column: str
    minimum: int

    @property
    def name(self) -> str:
        return f"{self.column}_below_{self.minimum}"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Raise `ConfigError` for a column that is missing or no integer."""
        found = schema.field(self.column).type if self.column in schema.names else None
        if found is None or not pa.types.is_integer(found):
            raise ConfigError(f"keep if {self.column} >= {self.minimum}: it must be an integer column, it is {found}")
        return schema

    def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        values = table.column(self.column).to_pylist()
        mask = np.array([value is not None and value >= self.minimum for value in values], np.bool_)
        return table.filter(pa.array(mask, pa.bool_())), mask
