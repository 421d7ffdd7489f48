"""A tree and a schema to a typed Polars expression. Never guesses: what has no exact type is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast as typed

import polars as pl
import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.transforms import functions
from arrowflow.transforms.functions import CALLABLE, FUNCTIONS, Typed
from arrowflow.transforms.kinds import PHYSICAL, Kind, kind_of
from arrowflow.transforms.syntax import Call, Cast, Column, Instant, Literal, Node, walk
from arrowflow.transforms.tokens import refusal

MAX_SIZE = 20_000
"""Nodes of a compiled expression; some functions write their argument several times."""

# fmt: off
_MANY_ROWS = frozenset({
    "any_value", "array_agg", "avg", "count", "cumsum", "dense_rank", "diff", "first", "first_value", "lag", "last",
    "last_value", "lead", "max", "mean", "median", "min", "mode", "ntile", "quantile", "rank", "row_number", "shift",
    "stddev", "string_agg", "sum", "var_pop", "var_samp", "variance",
})
_NOT_THE_ROW = frozenset({
    "current_date", "current_timestamp", "gen_random_uuid", "getdate", "now", "rand", "random", "today", "uuid",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression over columns named by position (``c0``, ``c1``, ...), its kind and the columns it reads."""

    expr: pl.Expr
    kind: Kind
    columns: tuple[str, ...]


def compile_expression(text: str, node: Node, schema: pa.Schema) -> Compiled:
    """Return `node`, parsed from `text`, compiled for rows of `schema`; raises `ConfigError` with the place."""
    result = _Compiler(text, schema).typed(node)
    names = {here.name for here in _columns(node)}
    return Compiled(result.expr, result.kind, tuple(name for name in schema.names if name in names))


def position(schema: pa.Schema, name: str) -> str:
    """The name a column has inside compiled expressions: no user's name can clash with it."""
    return f"c{schema.get_field_index(name)}"


def near_names(name: str, names: list[str]) -> str:
    """Return a did-you-mean, or the list of what there is."""
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(map(repr, names))}"


def _columns(node: Node) -> list[Column]:
    return [here for here in walk(node) if isinstance(here, Column)]


@dataclass(frozen=True, slots=True)
class _Compiler:
    text: str
    schema: pa.Schema

    def typed(self, node: Node) -> Typed:
        """Compile a node after its arguments; whatever is wrong is told with the node's place."""
        if isinstance(node, Column):
            return self.column(node)
        if isinstance(node, Literal):
            return _literal(node)
        args = [self.typed(arg) for arg in (node.args if isinstance(node, Call) else (node.node,))]
        try:
            if isinstance(node, Cast):
                result = functions.cast(args[0], typed("Kind", node.kind), total=node.total)
            else:
                result = self.builder(node)(args)
        except ConfigError as error:
            name = "cast" if isinstance(node, Cast) else node.name
            raise refusal(self.text, node.at, f"{name}: {error}") from error
        if result.size > MAX_SIZE:
            raise refusal(self.text, node.at, "the expression grows too large; derive a column for a part of it")
        return _folded(result) if all(arg.is_literal for arg in args) else result

    def builder(self, call: Call) -> functions.Builder:
        if call.name in FUNCTIONS:
            return FUNCTIONS[call.name]
        if call.name in _MANY_ROWS:
            raise ConfigError("looks at other rows; an expression sees only its own, so batches never change a result")
        if call.name in _NOT_THE_ROW:
            raise ConfigError("depends on more than the row, so a replay would give another result")
        raise ConfigError(f"no such function: {near_names(call.name, list(CALLABLE))}")

    def column(self, node: Column) -> Typed:
        count = len(self.schema.get_all_field_indices(node.name))
        if count == 0:
            raise refusal(self.text, node.at, f"no column {node.name!r}: {near_names(node.name, self.schema.names)}")
        if count > 1:
            raise refusal(self.text, node.at, f"column {node.name!r} is there {count} times")
        return Typed(pl.col(position(self.schema, node.name)), kind_of(self.schema.field(node.name).type))


def _folded(result: Typed) -> Typed:
    """Compute what depends on no column now, so that at run time every operator has a column under it."""
    if result.kind == "null":
        return result
    value = pl.select(result.expr).item()
    expr = pl.lit(value, dtype=PHYSICAL[result.kind])
    written = Instant(value) if result.kind == "timestamp" and value is not None else value
    return Typed(expr, result.kind, literal=written, is_literal=True)


def _literal(node: Literal) -> Typed:
    value = node.value
    if value is None:
        return Typed(pl.lit(None), "null", is_literal=True)
    kinds: Mapping[type, Kind] = {bool: "boolean", int: "integer", float: "float", str: "string", Instant: "timestamp"}
    kind = kinds[type(value)]
    plain = value.us if isinstance(value, Instant) else value
    return Typed(pl.lit(plain, dtype=PHYSICAL[kind]), kind, literal=value, is_literal=True)
