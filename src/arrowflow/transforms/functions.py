"""The allow-list: every operator and function an expression may use, with its types and its rule for bad values.

Each looks at one row only and none can raise for a value: what cannot be computed is null. Anything that is
not in `FUNCTIONS` does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.errors import ConfigError
from arrowflow.transforms.kinds import PHYSICAL, Kind
from arrowflow.transforms.parser import KEYWORDS
from arrowflow.transforms.syntax import Instant, Value


@dataclass(frozen=True, slots=True)
class Typed:
    """A compiled node: `size` counts the nodes of `expr`, `literal` is the value if it was written as one."""

    expr: pl.Expr
    kind: Kind
    size: int = 1
    literal: Value = None
    is_literal: bool = False


Builder = Callable[[Sequence[Typed]], Typed]
Operation = Callable[["pa.Array[Any]", "pa.Array[Any]"], "pa.Array[Any]"]


# ---- kinds ------------------------------------------------------------------------------------------------


def coerced(arg: Typed, kind: Kind) -> pl.Expr:
    """Return the expression as `kind`: a bare NULL becomes any kind, an integer becomes a float."""
    if arg.kind == "null":
        return pl.lit(None, dtype=PHYSICAL[kind])
    if arg.kind == "integer" and kind == "float":
        return arg.expr.cast(pl.Float64)
    if arg.kind != kind:
        raise ConfigError(f"a {kind} is needed and this is a {arg.kind}")
    return arg.expr


def common_kind(args: Sequence[Typed]) -> Kind:
    """Return the one kind of all arguments; integer and float meet in float. Raises `ConfigError`."""
    kinds = {arg.kind for arg in args} - {"null"}
    if "opaque" in kinds:
        raise ConfigError("a column of this type can only be copied, or asked IS NULL")
    if kinds == {"integer", "float"}:
        return "float"
    if len(kinds) != 1:
        raise ConfigError("these have no common type: " + (", ".join(sorted(kinds)) or "only NULL"))
    return next(iter(kinds))


def _size(args: Sequence[Typed], times: int = 1) -> int:
    return 1 + times * sum(arg.size for arg in args)


def _counted(args: Sequence[Typed], least: int, most: int | None = None) -> None:
    most = least if most is None else most
    if not least <= len(args) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ConfigError(f"takes {wanted} arguments, and {len(args)} are given")


# ---- arithmetic: integers are exact or null, never wrapped ----------------------------------------------------


def _wide(expr: pl.Expr) -> pl.Expr:
    return expr.cast(pl.Int128)


def _narrow(expr: pl.Expr) -> pl.Expr:
    return expr.cast(pl.Int64, strict=False)  # null where 64 bits do not hold it


def _ieee(operation: Operation, left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Float arithmetic by Arrow, whose kernels do the same for one row as for many.

    Polars 2.1 divides a column by a scalar as a product with the reciprocal, and turns ``0.0 - x`` into ``-x``;
    for a batch of one row it does neither. ``v / 3.0`` then has another last bit in one row out of three,
    depending on how the stream was cut.
    """

    def run(parts: Sequence[pl.Series]) -> pl.Series:
        lengths = {len(part) for part in parts}
        height = 0 if 0 in lengths else max(lengths)
        arrays = [part if len(part) == height else part.new_from_index(0, height) for part in parts]
        return pl.Series(values=operation(*(array.to_arrow() for array in arrays)), dtype=pl.Float64)

    return pl.map_batches([left, right], run, return_dtype=pl.Float64)


def _arithmetic(of_integers: Callable[[pl.Expr, pl.Expr], pl.Expr], of_floats: Operation) -> Builder:
    def build(args: Sequence[Typed]) -> Typed:
        kind = _number(args)
        left, right = (coerced(arg, kind) for arg in args)
        if kind == "float":
            return Typed(_ieee(of_floats, left, right), kind, _size(args))
        return Typed(_narrow(of_integers(_wide(left), _wide(right))), kind, _size(args))

    return build


def _number(args: Sequence[Typed]) -> Kind:
    kind = common_kind(args)
    if kind not in ("integer", "float"):
        raise ConfigError(f"numbers are needed and this is a {kind}")
    return kind


def _negate(args: Sequence[Typed]) -> Typed:
    kind = _number(args)
    if kind == "float":
        return Typed(-args[0].expr, kind, _size(args))
    return Typed(_narrow(0 - _wide(args[0].expr)), kind, _size(args))


def _divide(args: Sequence[Typed]) -> Typed:
    _number(args)
    left, right = (coerced(arg, "float") for arg in args)
    return Typed(pl.when(right != 0.0).then(_ieee(pc.divide, left, right)), "float", _size(args, 2))


def _truncated(*, remainder: bool) -> Builder:
    """Integer division towards zero and its remainder, whose sign is the dividend's, as in SQL."""

    def build(args: Sequence[Typed]) -> Typed:
        _counted(args, 2)
        if _number(args) != "integer":
            raise ConfigError("integers are needed; for floats use /")
        left, right = (_wide(coerced(arg, "integer")) for arg in args)
        if remainder:
            return Typed(_narrow(left.sign() * (left.abs() % right.abs())), "integer", _size(args, 2))
        whole = left.sign() * right.sign() * (left.abs() // right.abs())
        return Typed(_narrow(whole), "integer", _size(args, 2))

    return build


def _abs(args: Sequence[Typed]) -> Typed:
    _counted(args, 1)
    kind = _number(args)
    expr = args[0].expr.abs() if kind == "float" else _narrow(_wide(args[0].expr).abs())
    return Typed(expr, kind, _size(args))


def _round(args: Sequence[Typed]) -> Typed:
    """Half away from zero; beyond 2^52 a float has no decimals left, and scaling it could overflow."""
    _counted(args, 1, 2)
    digits = args[1].literal if len(args) == 2 else 0
    if type(digits) is not int or not 0 <= digits <= 15:
        raise ConfigError("decimals must be written as a number from 0 to 15")
    if _number(args[:1]) == "integer":
        return args[0]
    value = args[0].expr
    rounded = value.round(digits, mode="half_away_from_zero")
    return Typed(pl.when(value.abs() < 2.0**52).then(rounded).otherwise(value), "float", _size(args, 3))


def _to_whole(operation: Callable[[pl.Expr], pl.Expr]) -> Builder:
    def build(args: Sequence[Typed]) -> Typed:
        _counted(args, 1)
        if _number(args) == "integer":
            return args[0]
        return Typed(operation(args[0].expr), "float", _size(args))

    return build


def _sqrt(args: Sequence[Typed]) -> Typed:
    _counted(args, 1)
    _number(args)
    value = coerced(args[0], "float")
    return Typed(pl.when(value >= 0.0).then(value.sqrt()), "float", _size(args, 2))


# ---- comparison and logic ---------------------------------------------------------------------------------------


def _comparison(operation: Callable[[pl.Expr, pl.Expr], pl.Expr], *, ordered: bool) -> Builder:
    def build(args: Sequence[Typed]) -> Typed:
        kind = "boolean" if all(arg.kind == "null" for arg in args) else common_kind(args)
        if ordered and any(arg.kind == "boolean" for arg in args):
            raise ConfigError("booleans have no order; compare them with = or <>")
        left, right = (coerced(arg, kind) for arg in args)
        return Typed(operation(left, right), "boolean", _size(args))

    return build


def _logic(operation: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Builder:
    def build(args: Sequence[Typed]) -> Typed:
        return Typed(_balanced(operation, [coerced(arg, "boolean") for arg in args]), "boolean", _size(args))

    return build


def _balanced(operation: Callable[[pl.Expr, pl.Expr], pl.Expr], args: Sequence[pl.Expr]) -> pl.Expr:
    """Join by halves: Polars took 188 ms for a chain of 300, and 8 ms for the same as a balanced tree."""
    if len(args) == 1:
        return args[0]
    half = len(args) // 2
    return operation(_balanced(operation, args[:half]), _balanced(operation, args[half:]))


def _not(args: Sequence[Typed]) -> Typed:
    return Typed(~coerced(args[0], "boolean"), "boolean", _size(args))


def _is_null(args: Sequence[Typed]) -> Typed:
    return Typed(args[0].expr.is_null(), "boolean", _size(args))


def _in(args: Sequence[Typed]) -> Typed:
    _counted(args, 2, 1000)
    kind = common_kind(args)
    listed = [arg.literal for arg in args[1:]]
    if any(not arg.is_literal or arg.literal is None for arg in args[1:]):
        raise ConfigError("IN takes a list of written values, none of them NULL; compare columns with =")
    plain = [value.us if isinstance(value, Instant) else value for value in listed]
    values = pl.Series(values=plain, dtype=PHYSICAL[kind], strict=False)
    one_list = pl.lit(values.implode()).first()  # a scalar, so that it spreads over any number of rows
    return Typed(coerced(args[0], kind).is_in(one_list), "boolean", _size(args))


# ---- choice -------------------------------------------------------------------------------------------------------


def _case(args: Sequence[Typed]) -> Typed:
    *pairs, last = args
    kind = common_kind([*pairs[1::2], last])
    result = coerced(last, kind)
    for condition, value in zip(reversed(pairs[::2]), reversed(pairs[1::2]), strict=True):
        result = pl.when(coerced(condition, "boolean")).then(coerced(value, kind)).otherwise(result)
    return Typed(result, kind, _size(args))


def _coalesce(args: Sequence[Typed]) -> Typed:
    _counted(args, 1, 100)
    kind = common_kind(args)
    return Typed(pl.coalesce([coerced(arg, kind) for arg in args]), kind, _size(args))


def _nullif(args: Sequence[Typed]) -> Typed:
    _counted(args, 2)
    kind = common_kind(args)
    left, right = (coerced(arg, kind) for arg in args)
    return Typed(pl.when(left == right).then(None).otherwise(left), kind, _size(args, 2))


def _extreme(better: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Builder:
    """The least or greatest of the values that are not null; null only where all are."""

    def build(args: Sequence[Typed]) -> Typed:
        _counted(args, 1, 8)
        kind = common_kind(args)
        if kind == "boolean":
            raise ConfigError("booleans have no order")

        def pick(left: pl.Expr, right: pl.Expr) -> pl.Expr:
            return pl.when(right.is_null() | better(left, right)).then(left).otherwise(right)

        return Typed(reduce(pick, (coerced(arg, kind) for arg in args)), kind, _size(args, 2 ** len(args)))

    return build


# ---- strings and timestamps ------------------------------------------------------------------------------------------


def _string(operation: Callable[[pl.Expr], pl.Expr], kind: Kind = "string") -> Builder:
    def build(args: Sequence[Typed]) -> Typed:
        _counted(args, 1)
        return Typed(operation(coerced(args[0], "string")), kind, _size(args))

    return build


def _with_pattern(operation: Callable[[pl.Expr, str], pl.Expr]) -> Builder:
    def build(args: Sequence[Typed]) -> Typed:
        _counted(args, 2)
        return Typed(operation(coerced(args[0], "string"), _written(args[1])), "boolean", _size(args))

    return build


def _written(arg: Typed) -> str:
    if not isinstance(arg.literal, str):
        raise ConfigError("a text in quotes is needed here")
    return arg.literal


def _like(expr: pl.Expr, pattern: str, flags: str = "s") -> pl.Expr:
    if "\\" in pattern:
        raise ConfigError("LIKE has no escape character; use starts_with, ends_with or contains")
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(char) or re.escape(char) for char in pattern)
    return expr.str.contains(f"(?{flags})^(?:{regex})$")


def _ilike(expr: pl.Expr, pattern: str) -> pl.Expr:
    return _like(expr, pattern, flags="is")


def _concat(args: Sequence[Typed]) -> Typed:
    return Typed(pl.concat_str([coerced(arg, "string") for arg in args]), "string", _size(args))


def _replace(args: Sequence[Typed]) -> Typed:
    _counted(args, 3)
    old, new = _written(args[1]), _written(args[2])
    if not old:
        raise ConfigError("the text to replace must not be empty")
    return Typed(coerced(args[0], "string").str.replace_all(old, new, literal=True), "string", _size(args))


def _substr(args: Sequence[Typed]) -> Typed:
    """Characters from `start`, counted from 1."""
    _counted(args, 2, 3)
    start, length = args[1].literal, args[2].literal if len(args) == 3 else None
    if type(start) is not int or start < 1 or not (length is None or (type(length) is int and length >= 0)):
        raise ConfigError("start (from 1) and length (from 0) must be written as numbers")
    if max(start, length or 0) > 2**31:
        raise ConfigError("start and length are at most 2147483648")
    return Typed(coerced(args[0], "string").str.slice(start - 1, length), "string", _size(args))


def _extract(operation: Callable[[pl.Expr], pl.Expr]) -> Builder:
    def build(args: Sequence[Typed]) -> Typed:
        return Typed(operation(coerced(args[0], "timestamp")).cast(pl.Int64), "integer", _size(args))

    return build


def _wall(expr: pl.Expr) -> pl.Expr:
    return expr.cast(pl.Datetime("us"))


FUNCTIONS: dict[str, Builder] = {
    "+": _arithmetic(lambda left, right: left + right, pc.add),
    "-": _arithmetic(lambda left, right: left - right, pc.subtract),
    "*": _arithmetic(lambda left, right: left * right, pc.multiply),
    "/": _divide,
    "%": _truncated(remainder=True),
    "unary -": _negate,
    "=": _comparison(lambda left, right: left == right, ordered=False),
    "<>": _comparison(lambda left, right: left != right, ordered=False),
    "is distinct from": _comparison(lambda left, right: left.ne_missing(right), ordered=False),
    "<": _comparison(lambda left, right: left < right, ordered=True),
    "<=": _comparison(lambda left, right: left <= right, ordered=True),
    ">": _comparison(lambda left, right: left > right, ordered=True),
    ">=": _comparison(lambda left, right: left >= right, ordered=True),
    "and": _logic(lambda left, right: left & right),
    "or": _logic(lambda left, right: left | right),
    "not": _not,
    "is null": _is_null,
    "in": _in,
    "case": _case,
    "like": _with_pattern(_like),
    "ilike": _with_pattern(_ilike),
    "||": _concat,
    "extract year": _extract(lambda expr: _wall(expr).dt.year()),
    "extract month": _extract(lambda expr: _wall(expr).dt.month()),
    "extract day": _extract(lambda expr: _wall(expr).dt.day()),
    "extract hour": _extract(lambda expr: _wall(expr).dt.hour()),
    "extract minute": _extract(lambda expr: _wall(expr).dt.minute()),
    "extract second": _extract(lambda expr: _wall(expr).dt.second()),
    "extract epoch": _extract(lambda expr: expr // 1_000_000),
    "abs": _abs,
    "ceil": _to_whole(lambda expr: expr.ceil()),
    "coalesce": _coalesce,
    "contains": _with_pattern(lambda expr, text: expr.str.contains(text, literal=True)),
    "div": _truncated(remainder=False),
    "ends_with": _with_pattern(lambda expr, text: expr.str.ends_with(text)),
    "floor": _to_whole(lambda expr: expr.floor()),
    "greatest": _extreme(lambda left, right: left >= right),
    "least": _extreme(lambda left, right: left <= right),
    "length": _string(lambda expr: expr.str.len_chars().cast(pl.Int64), "integer"),
    "lower": _string(lambda expr: expr.str.to_lowercase()),
    "ltrim": _string(lambda expr: expr.str.strip_chars_start(" ")),
    "mod": _truncated(remainder=True),
    "nullif": _nullif,
    "replace": _replace,
    "round": _round,
    "rtrim": _string(lambda expr: expr.str.strip_chars_end(" ")),
    "sqrt": _sqrt,
    "starts_with": _with_pattern(lambda expr, text: expr.str.starts_with(text)),
    "substr": _substr,
    "trim": _string(lambda expr: expr.str.strip_chars(" ")),
    "upper": _string(lambda expr: expr.str.to_uppercase()),
}
CALLABLE = tuple(name for name in FUNCTIONS if name.isidentifier() and name.upper() not in KEYWORDS)
"""What may be written as ``name(...)``; the rest of `FUNCTIONS` has a syntax of its own."""


def cast(arg: Typed, kind: Kind, *, total: bool) -> Typed:
    """Change the kind without loss, or give null; `total` (a written CAST) allows only what never gives null.

    Raises
    ------
    ConfigError
        For a change that has no exact meaning, and for a CAST that could fail on a value.
    """
    always = {
        ("null", kind),
        (kind, kind),
        ("integer", "float"),
        ("boolean", "integer"),
        ("integer", "string"),
        ("boolean", "string"),
    }
    maybe = {("string", "integer"), ("string", "float"), ("float", "integer")}
    change = (arg.kind, kind)
    if change in maybe and total:
        raise ConfigError(f"CAST from {arg.kind} to {kind} can fail on a value: write TRY_CAST, which gives null there")
    if change not in always | maybe:
        raise ConfigError(f"there is no cast from {arg.kind} to {kind}")
    if arg.kind in ("null", kind):
        return Typed(coerced(arg, kind), kind, arg.size)
    changed = arg.expr.cast(PHYSICAL[kind], strict=False)
    if change == ("float", "integer"):
        changed = pl.when(changed.cast(pl.Float64) == arg.expr).then(changed)
    return Typed(changed, kind, _size([arg], 3))
