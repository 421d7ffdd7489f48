"""Expressions planned for one schema: checked, probed and ready to run. Holds no rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from arrowflow.transforms.compiler import Compiled, compile_expression, position
from arrowflow.transforms.kinds import to_arrow, to_series
from arrowflow.transforms.syntax import Literal, Node, Value, walk


@dataclass(frozen=True, slots=True)
class Plan:
    """Compiled expressions by name, over the columns `reads` of tables of `schema`."""

    schema: pa.Schema
    expressions: Mapping[str, Compiled]
    reads: tuple[str, ...]

    @classmethod
    def of(cls, texts: Mapping[str, str], nodes: Mapping[str, Node], schema: pa.Schema) -> Plan:
        """Compile every expression; raises `ConfigError`."""
        compiled = {name: compile_expression(texts[name], node, schema) for name, node in nodes.items()}
        wanted = {column for expression in compiled.values() for column in expression.columns}
        return cls(schema, compiled, tuple(name for name in schema.names if name in wanted))

    def series(self, table: pa.Table) -> list[pl.Series]:
        """Return one series of n rows per expression, in order."""
        columns = [to_series(table.column(name)).alias(position(self.schema, name)) for name in self.reads]
        if not columns:  # only literals: they need a length to spread over
            columns = [pl.repeat(True, table.num_rows, dtype=pl.Boolean, eager=True).alias("rows")]
        results = [compiled.expr.alias(f"r{index}") for index, compiled in enumerate(self.expressions.values())]
        frame = pl.DataFrame(columns).with_columns(results)
        return [frame.get_column(f"r{index}") for index in range(len(results))]

    def columns(self, table: pa.Table) -> dict[str, pa.ChunkedArray[Any]]:
        """Return one Arrow column of n rows per expression."""
        kinds = [compiled.kind for compiled in self.expressions.values()]
        arrays = [to_arrow(series, kind) for series, kind in zip(self.series(table), kinds, strict=True)]
        return dict(zip(self.expressions, arrays, strict=True))


def written_values(nodes: Mapping[str, Node]) -> list[Value]:
    """Every literal of the expressions, for the probe."""
    return [here.value for node in nodes.values() for here in walk(node) if isinstance(here, Literal)]
