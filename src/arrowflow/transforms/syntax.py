"""The tree of an expression: four kinds of node. Holds no types and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Instant(NamedTuple):
    """A timestamp literal in microseconds since Unix time zero."""

    us: int


Value = bool | int | float | str | Instant | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the expression."""

    value: Value
    at: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the same row."""

    name: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function of the allow-list applied to its arguments.

    `case` takes (condition, value) pairs and then the value otherwise.
    """

    name: str
    args: tuple[Node, ...]
    at: int = 0


@dataclass(frozen=True, slots=True)
class Cast:
    """A change of type; `total` says that it was written CAST, so it must never fail."""

    node: Node
    kind: str
    total: bool
    at: int = 0


Node = Literal | Column | Call | Cast


def walk(node: Node) -> Iterator[Node]:
    """Every node of the tree, parents first."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        if isinstance(here, Call):
            waiting += here.args
        elif isinstance(here, Cast):
            waiting.append(here.node)
