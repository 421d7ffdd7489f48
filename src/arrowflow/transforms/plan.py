"""Expressions planned for one schema: checked, probed and ready to run. Holds no rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from arrowflow.transforms.compiler import Compiled, compile_expression, position
from arrowflow.transforms.kinds import PHYSICAL, to_arrow, to_series
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

    def series(self, table: pa.Table, *, strict: bool = False) -> list[pl.Series]:
        """Return one series of n rows per expression, in order.

        Where Polars refuses a batch, smaller and smaller parts of it are tried, and a row that it refuses alone
        is null: one value never stops the others. With `strict` its error is raised instead.
        """
        columns = [to_series(table.column(name)).alias(position(self.schema, name)) for name in self.reads]
        if not columns:  # only literals: the frame still needs a height
            columns = [pl.Series("rows", [True]).new_from_index(0, table.num_rows)]
        frame = pl.DataFrame(columns)
        return [_evaluated(frame, compiled, strict=strict) for compiled in self.expressions.values()]

    def columns(self, table: pa.Table, *, strict: bool = False) -> dict[str, pa.ChunkedArray[Any]]:
        """Return one Arrow column of n rows per expression; see `series`."""
        kinds = [compiled.kind for compiled in self.expressions.values()]
        arrays = [to_arrow(series, kind) for series, kind in zip(self.series(table, strict=strict), kinds, strict=True)]
        return dict(zip(self.expressions, arrays, strict=True))


def _evaluated(frame: pl.DataFrame, compiled: Compiled, *, strict: bool) -> pl.Series:
    height = frame.height
    try:
        result = frame.select(compiled.expr.alias("result")).to_series()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        if strict:
            raise
        if height <= 1:
            return pl.Series("result", [None] * height, dtype=PHYSICAL[compiled.kind])
        halves = frame.head(height // 2), frame.tail(height - height // 2)
        return pl.concat([_evaluated(half, compiled, strict=False) for half in halves])
    # A result that is the same for all rows may come as one: Polars 2.1 gives one row for `0 > greatest(i, 0)`
    # when every i is null, because it compares two scalars. Every expression is row-wise, so one stands for all.
    return result if len(result) == height else result.new_from_index(0, height)


def written_values(nodes: Mapping[str, Node]) -> list[Value]:
    """Every literal of the expressions, for the probe."""
    return [here.value for node in nodes.values() for here in walk(node) if isinstance(here, Literal)]
