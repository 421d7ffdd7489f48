"""Keep the rows for which an expression is true. Never looks at another row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.transforms.parser import parse
from arrowflow.transforms.plan import Plan, written_values
from arrowflow.transforms.probe import check_rowwise
from arrowflow.transforms.syntax import Node
from arrowflow.types import check_name


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps a row where `expression` is true; false and null are not kept, as in SQL.

    Parameters
    ----------
    expression : str
        A boolean SQL expression over the row's columns; ``docs/expressions.md`` has the language.
    reason : str
        Under which the rows not kept are counted.

    Raises
    ------
    ConfigError
        When built, if the text is no allowed expression; on `output_schema`, if it does not fit the columns.
    """

    expression: str
    reason: str = "filter"
    _node: Node = field(init=False, repr=False, compare=False)
    _plans: dict[pa.Schema, Plan] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_name("filter reason", self.reason)
        object.__setattr__(self, "_node", parse(self.expression))

    @property
    def name(self) -> str:
        return self.reason

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        self._plan(schema)
        return schema

    def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """Return (rows kept, in order and with their types, keep mask bool[n]); no copy where all are kept."""
        return _kept(self._plan(table.schema), table)

    def _plan(self, schema: pa.Schema) -> Plan:
        if schema not in self._plans:
            nodes = {"keep": self._node}
            plan = Plan.of({"keep": self.expression}, nodes, schema)
            kind = plan.expressions["keep"].kind
            if kind != "boolean":
                raise ConfigError(
                    f"filter {self.expression!r} is a {kind}: a filter must be true or false for each row"
                )
            what = f"filter {self.expression!r}"
            check_rowwise(lambda table: _kept(plan, table, strict=True), schema, what, written_values(nodes))
            self._plans[schema] = plan
        return self._plans[schema]


def _kept(plan: Plan, table: pa.Table, *, strict: bool = False) -> tuple[pa.Table, np.ndarray]:
    (keep,) = plan.series(table, strict=strict)
    mask = keep.fill_null(value=False).to_numpy()
    if mask.all():
        return table, mask
    return table.filter(pa.array(mask, pa.bool_())), mask
