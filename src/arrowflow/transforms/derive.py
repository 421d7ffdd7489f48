"""Add or replace columns computed from the same row. Never drops a row, never looks at another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.transforms.kinds import ARROW
from arrowflow.transforms.parser import parse
from arrowflow.transforms.plan import Plan, written_values
from arrowflow.transforms.probe import check_rowwise
from arrowflow.transforms.syntax import Column, Node
from arrowflow.types import RESERVED


@dataclass(frozen=True, slots=True)
class Derive:
    """Computes columns from the row as it came in: expressions do not see each other's results.

    Parameters
    ----------
    columns : mapping of str to str
        Name to SQL expression. A name the table has is replaced in its place, others follow in order. A bare
        column name copies that column with its exact type.

    Raises
    ------
    ConfigError
        When built, for a text that is no allowed expression or a name that is taken; on `output_schema`, if an
        expression does not fit the columns.
    """

    columns: Mapping[str, str]
    _nodes: dict[str, Node] = field(init=False, repr=False, compare=False)
    _plans: dict[pa.Schema, Plan] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", dict(self.columns))
        if not self.columns:
            raise ConfigError('derive names no column: give at least one `name = "expression"`')
        for name in self.columns:
            if not name or name in RESERVED or name.startswith("__af_"):
                raise ConfigError(f"derived column {name!r}: the name is empty or reserved; choose another")
        object.__setattr__(self, "_nodes", {name: self._parsed(name) for name in self.columns})

    @property
    def name(self) -> str:
        return "derive"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        plan = self._plan(schema)
        return _schema(self._nodes, plan)

    def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """Return (all rows with the new columns, a mask that is all true); other columns are not copied."""
        return _derived(self._nodes, self._plan(table.schema), table)

    def _parsed(self, name: str) -> Node:
        try:
            return parse(self.columns[name])
        except ConfigError as error:
            raise ConfigError(f"derived column {name!r}: {error}") from error

    def _plan(self, schema: pa.Schema) -> Plan:
        if schema not in self._plans:
            computed = {name: node for name, node in self._nodes.items() if not isinstance(node, Column)}
            plan = Plan.of(self.columns, computed, schema)
            Plan.of(self.columns, self._nodes, schema)  # the copies, too, must name a column
            for name, compiled in plan.expressions.items():
                if compiled.kind not in ARROW:
                    raise ConfigError(
                        f"derived column {name!r}: {self.columns[name]!r} has no type of its own: write for example "
                        "CAST(NULL AS BIGINT), or copy the column by its bare name"
                    )
            what = f"derive {dict(self.columns)!r}"
            check_rowwise(
                lambda table: _derived(self._nodes, plan, table, strict=True), schema, what, written_values(computed)
            )
            self._plans[schema] = plan
        return self._plans[schema]


def _schema(nodes: Mapping[str, Node], plan: Plan) -> pa.Schema:
    schema = plan.schema
    for name, node in nodes.items():
        if isinstance(node, Column):
            field_ = plan.schema.field(node.name).with_name(name)
        else:
            field_ = pa.field(name, ARROW[plan.expressions[name].kind])
        index = schema.get_field_index(name)
        schema = schema.append(field_) if index < 0 else schema.set(index, field_)
    return schema


def _derived(
    nodes: Mapping[str, Node], plan: Plan, table: pa.Table, *, strict: bool = False
) -> tuple[pa.Table, np.ndarray]:
    found: dict[str, pa.ChunkedArray[Any]] = {name: table.column(name) for name in table.column_names}
    copies = {name: table.column(node.name) for name, node in nodes.items() if isinstance(node, Column)}
    found |= copies | plan.columns(table, strict=strict) if plan.expressions else copies
    schema = _schema(nodes, plan)
    return pa.table([found[name] for name in schema.names], schema=schema), np.ones(table.num_rows, np.bool_)
