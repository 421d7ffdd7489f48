"""From a writer's schema and the wanted columns to the program that the kernel runs. Sees no record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from arrowflow.decoders.avro.tree import Node
from arrowflow.decoders.avro.values import FIRST_DAY, LAST_DAY, bounds_of, takes, units_per_second
from arrowflow.decoders.civil import MAX_INSTANT_US, MIN_INSTANT_US
from arrowflow.decoders.grammar import Wanted
from arrowflow.decoders.kernels import avro as kernel
from arrowflow.decoders.schema import ColumnType, Field, Kind
from arrowflow.types import I64

_NO_COLUMN: Final = -1
_MAX_I64: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """What the kernel takes of one schema.

    Parameters
    ----------
    steps : int64[s, 7]
        In the columns of the kernel. ``LOW`` and ``HIGH`` are bounds of a number; bytes of a value of known width or -1;
        the branch that is null and how many there are. ``TIMES`` multiplies or divides; ``TARGET`` is where the program
        goes on, or where in `links`; ``BASE`` how many records around the step have no frame.
    links : int64[l]
        Where branches of unions begin, and begins and sizes of symbols.
    """

    steps: np.ndarray
    links: I64


@dataclass(slots=True)
class Names:
    """The symbols of enums that become text, one after another; shared by the programs of a decoder."""

    text: bytearray = field(default_factory=bytearray)

    def add(self, symbol: str) -> tuple[int, int]:
        """Return (one's complement of where it begins, its size)."""
        begin, written = len(self.text), symbol.encode()
        self.text += written
        return ~begin, len(written)


def compile_program(
    root: Node, wanted: Wanted, fields: Sequence[Field], names: Names, *, text_dates: Mapping[int, bool], max_depth: int
) -> Program:
    """Return the program that reads records of a schema.

    Parameters
    ----------
    root, wanted, fields
        The type of a record, the tree of the columns' paths, and the columns.
    names : Names
        Takes the symbols that columns want.
    text_dates : mapping of int to bool
        For each date column, whether it is read as text; values of the other form are left to the rules.
    max_depth : int
        How deep records, arrays and maps may lie in one another.
    """
    return _Compiler(fields, names, text_dates, max_depth).compile(root, wanted)


class _Compiler:
    def __init__(self, fields: Sequence[Field], names: Names, text_dates: Mapping[int, bool], max_depth: int) -> None:
        self._fields = fields
        self._names = names
        self._text_dates = text_dates
        self._max_depth = max_depth
        self._lines: list[list[int]] = []
        self._links: list[int] = []
        self._calls: list[tuple[int, Node]] = []

    def compile(self, root: Node, wanted: Wanted) -> Program:
        self._descend(root, wanted, 0)
        self._add(kernel.END)
        starts: dict[str, int] = {}
        for line, record in self._calls:  # grows while the records that are called are written
            if record.name not in starts:
                starts[record.name] = len(self._lines)
                for _, each in record.fields:
                    self._skip(each, 0)
                self._add(kernel.RETURN)
            self._lines[line][kernel.TARGET] = starts[record.name]
        steps = np.array(self._lines, np.int64).reshape(-1, kernel.WIDTH)
        return Program(steps, np.array([*self._links, 0], np.int64))

    def _descend(self, node: Node, wanted: Wanted, base: int) -> None:
        """Write what reads a value on the way to columns, or a column's own."""
        if node.kind == "union":
            self._union(node, lambda branch: self._descend(branch, wanted, base))
        elif wanted.field is not None:
            self._leaf(node, wanted.field)
        elif node.kind != "record":
            if node.kind != "null":
                self._add(kernel.FAIL)
        elif base >= self._max_depth:
            self._add(kernel.FAIL)
        else:
            for name, each in node.fields:
                inner = wanted.children.get(name)
                if inner is None:
                    self._skip(each, base + 1)
                else:
                    self._descend(each, inner, base + 1)

    def _union(self, node: Node, write: Callable[[Node], None]) -> None:
        kinds = [branch.kind for branch in node.branches]
        if len(kinds) == 2 and "null" in kinds:
            null = kinds.index("null")
            line = self._add(kernel.NULLABLE, low=null, high=2)
            write(node.branches[1 - null])
            self._lines[line][kernel.TARGET] = len(self._lines)
            return
        first = len(self._links)
        self._links += [0] * len(kinds)
        self._add(kernel.UNION, high=len(kinds), target=first)
        jumps = []
        for index, branch in enumerate(node.branches):
            self._links[first + index] = len(self._lines)
            write(branch)
            jumps.append(self._add(kernel.JUMP))
        for line in jumps:
            self._lines[line][kernel.TARGET] = len(self._lines)

    def _skip(self, node: Node, base: int) -> None:
        match node.kind:
            case "null":
                pass
            case "int" | "long" | "enum":
                low, high = bounds_of(node)
                self._add(kernel.INT, low=low, high=high)
            case "boolean":
                self._add(kernel.BOOL, low=1)
            case "float" | "double" | "fixed":
                self._pass_over(node.size)
            case "bytes" | "string":
                self._add(kernel.TEXT if node.kind == "string" else kernel.BYTES)
            case "union":
                self._union(node, lambda branch: self._skip(branch, base))
            case "record":
                self._calls.append((self._add(kernel.CALL, base=base), node))
            case _:
                self._loop(node, base)

    def _pass_over(self, size: int) -> None:
        """Write a step over so many bytes, a part of the one before if that is another."""
        targets = {line[kernel.TARGET] for line in self._lines} | set(self._links)
        if self._lines and self._lines[-1][kernel.STEP] == kernel.SKIP and len(self._lines) not in targets:
            self._lines[-1][kernel.LOW] += size
        else:
            self._add(kernel.SKIP, low=size)

    def _loop(self, node: Node, base: int) -> None:
        assert node.items is not None
        least = 0 if node.kind == "array" and node.items.is_hollow else 1
        line = self._add(kernel.LOOP, low=least, base=base)
        if node.kind == "map":
            self._add(kernel.TEXT)
        self._skip(node.items, 0)
        self._add(kernel.NEXT, low=least, target=line + 1)
        self._lines[line][kernel.TARGET] = len(self._lines)

    def _leaf(self, node: Node, index: int) -> None:
        column = self._fields[index].column
        if node.kind == "null":
            return
        other_date = column.kind is Kind.DATE and self._text_dates.get(index, False) != (node.kind == "string")
        sixteen_bytes = node.kind == "fixed" and node.logical == "uuid"
        if column.kind is Kind.JSON or not takes(column, node) or other_date or sixteen_bytes:
            self._add(kernel.FAIL)
        elif node.kind in ("string", "bytes") and node.logical != "decimal":
            self._add(kernel.TEXT, index)
        elif node.kind in ("boolean", "float", "double"):
            step = {"boolean": kernel.BOOL, "float": kernel.FLOAT, "double": kernel.DOUBLE}[node.kind]
            self._add(step, index, low=node.size)
        elif node.kind == "enum":
            target = len(self._links)
            for symbol in node.symbols:
                self._links += self._names.add(symbol)
            self._add(kernel.ENUM, index, high=len(node.symbols) - 1, target=target)
        else:
            self._number(node, index, column)

    def _number(self, node: Node, index: int, column: ColumnType) -> None:
        low, high = bounds_of(node)
        if column.kind is Kind.DECIMAL:
            self._decimal(node, index, column)
        elif column.kind is Kind.FLOAT:
            self._add(kernel.REAL, index, low=low, high=high)
        elif column.kind is Kind.INSTANT:
            units = units_per_second(column, node)
            first, last = MIN_INSTANT_US * units // 1_000_000, (MAX_INSTANT_US + 1) * units // 1_000_000 - 1
            down = units > 1_000_000
            times = units // 1_000_000 if down else 1_000_000 // units
            step = kernel.DOWN if down else kernel.INT
            self._add(step, index, low=max(low, first), high=min(high, last), times=times)
        elif column.kind is Kind.DATE:
            self._add(kernel.INT, index, low=FIRST_DAY, high=LAST_DAY)
        else:
            self._add(kernel.INT, index, low=max(low, column.low), high=min(high, column.high))

    def _decimal(self, node: Node, index: int, column: ColumnType) -> None:
        shift = column.places - node.places
        if not 0 <= shift <= 18:
            self._add(kernel.FAIL)
            return
        most = min(10**column.digits - 1, _MAX_I64) // 10**shift
        if node.kind in ("int", "long"):
            low, high = bounds_of(node)
            self._add(kernel.INT, index, low=max(low, -most), high=min(high, most), times=10**shift)
        else:
            fixed = node.size if node.kind == "fixed" else -1
            self._add(kernel.DECIMAL, index, low=fixed, high=most, times=10**shift)

    def _add(
        self,
        step: int,
        column: int = _NO_COLUMN,
        *,
        low: int = 0,
        high: int = 0,
        times: int = 1,
        target: int = 0,
        base: int = 0,
    ) -> int:
        self._lines.append([step, column, low, high, times, target, base])
        return len(self._lines) - 1
