"""Holds a user's own aggregate function to what it promises: the laws of the commutative family, on given values."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pyarrow as pa

from arrowflow.windows.aggregates.custom import CustomAggregate
from arrowflow.windows.arrays import Array


def check_aggregate(function: CustomAggregate[Any], values: Array, *, rounds: int = 50, seed: int = 0) -> None:
    """Check that order, cutting, merging and a rest in the state's table change nothing.

    Parameters
    ----------
    function : CustomAggregate
        What is checked.
    values : Array[n]
        Values as a window may hold them; nulls are left out. Give ones that are hard for it.
    rounds, seed : int
        How many random orders and cuttings are tried, and from which start.

    Raises
    ------
    AssertionError
        Naming the law that is broken and the states that differ.
    """
    values = values.drop_null()
    output, kind = function.output(values.type), function.state(values.type)
    assert output is not None, f"{function.name} does not take {values.type}"
    assert dict(function.fingerprint()) == dict(function.fingerprint()), "the fingerprint changes between two calls"
    whole = _over(function, [values])
    kept = _rested(whole, kind)
    _same("a state is what as_py() gives of its type", whole, kept)
    pa.array([function.finish(whole), function.finish(function.initial())], output, from_pandas=False)
    blank = function.initial()
    _same("merge(initial(), x) is x", whole, function.merge(blank, whole))
    _same("merge(x, initial()) is x", whole, function.merge(whole, blank))
    function.merge(whole, _rested(whole, kind))
    _same("states are never changed in place", kept, whole)
    dice = random.Random(seed)  # noqa: S311 (examples, no secrets)
    for _round in range(rounds):
        _check_round(function, values, whole, dice)


def _check_round(function: CustomAggregate[Any], values: Array, whole: object, dice: random.Random) -> None:
    kind = function.state(values.type)
    order = list(range(len(values)))
    dice.shuffle(order)
    edges = sorted(dice.randint(0, len(values)) for _cut in range(dice.randint(0, 3)))
    shuffled: Array = values.take(pa.array(order, pa.int64()))
    parts = [shuffled.slice(a, b - a) for a, b in pairwise([0, *edges, len(values)])]
    _same("permutation and split: another order and cutting", whole, _over(function, parts))
    halves = [_over(function, [part]) for part in parts]
    kept = [_rested(half, kind) for half in halves]
    merged = function.initial()
    for half in halves:
        merged = function.merge(merged, half)
    _same("merge: parts added up", whole, merged)
    _same("states are never changed in place", kept, halves)
    backwards = function.initial()
    for half in reversed(kept):
        backwards = function.merge(half, backwards)
    _same("merge is commutative and associative, also after a rest in the state", whole, backwards)
    _same("the result is a function of the state", function.finish(whole), function.finish(merged))


def _over(function: CustomAggregate[Any], parts: list[Array]) -> object:
    state = function.initial()
    for part in parts:
        if len(part):
            state = function.add(state, part)
    return state


def _rested(state: object, kind: pa.DataType) -> object:
    """What is left of a state when it was written and read."""
    return pa.array([state], kind, from_pandas=False)[0].as_py()


def _same(law: str, expected: object, found: object) -> None:
    # As text, NaN equals NaN and -0.0 is not 0.0: what the state's bytes would say.
    assert repr(found) == repr(expected), f"{law}: {found!r} is not {expected!r}"
