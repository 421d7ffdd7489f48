"""Small changes to a module, each of which a test should notice. Reads syntax trees and writes text; runs nothing."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import MappingProxyType

COMPARED: Mapping[type, type] = MappingProxyType(
    {
        ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
        ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    }
)  # fmt: skip
COMPUTED: Mapping[type, type] = MappingProxyType(
    {
        ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
        ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    }
)  # fmt: skip
SWAPPED: Mapping[str, str] = MappingProxyType(
    {
        "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any",
        "argmin": "argmax", "argmax": "argmin", "cummax": "cummin",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: the text between two places of a file gives way to another."""

    file: str
    line: int
    what: str
    first: int
    stop: int
    text: str
    before: str
    after: str

    @property
    def name(self) -> str:
        """Short and the same as long as the changed line is."""
        told = f"{self.file}\0{self.before}\0{self.after}\0{self.what}\0{self.line}"
        return hashlib.sha256(told.encode()).hexdigest()[:10]

    def applied(self, source: bytes) -> bytes:
        return source[: self.first] + self.text.encode() + source[self.stop :]

    def diff(self) -> str:
        return f"{self.file}:{self.line} ({self.what}) {self.name}\n  - {self.before}\n  + {self.after}"


def mutants_of(root: Path, file: Path) -> list[Mutant]:
    """Every change to one file, in the order of its text."""
    source = file.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = {}
    for node, what, text in _changes(ast.parse(source)):
        first = starts[node.lineno - 1] + node.col_offset
        stop = starts[node.end_lineno - 1] + node.end_col_offset
        if source[first:stop] != text.encode():
            name = file.relative_to(root).as_posix()
            found.setdefault((first, stop, text), _told(name, source, node.lineno, what, first, stop, text))
    return [found[place] for place in sorted(found)]


def sample_of(root: Path, count: int, dice: Random, only: str = "") -> tuple[list[Mutant], int]:
    """`count` changes to files below `root` whose path holds `only`, and how many there are to choose from.

    What is no Python, or the same program, is put aside when it is drawn.
    """
    every = [mutant for file in sorted(root.rglob("*.py")) for mutant in mutants_of(root, file) if only in mutant.file]
    drawn: list[Mutant] = []
    for mutant in dice.sample(every, len(every)):
        if len(drawn) == count:
            break
        if _is_another_program(root, mutant):
            drawn.append(mutant)
    return drawn, len(every)


def named(root: Path, names: Sequence[str]) -> tuple[list[Mutant], int]:
    """The changes of these names, and how many there are in all."""
    every = [mutant for file in sorted(root.rglob("*.py")) for mutant in mutants_of(root, file)]
    return [mutant for mutant in every if mutant.name in names], len(every)


def _is_another_program(root: Path, mutant: Mutant) -> bool:
    source = (root / mutant.file).read_bytes()
    try:
        return ast.dump(ast.parse(mutant.applied(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def _told(file: str, source: bytes, line: int, what: str, first: int, stop: int, text: str) -> Mutant:
    """A mutant with the lines it changes."""
    mutated = source[:first] + text.encode() + source[stop:]
    begin, end = source.rfind(b"\n", 0, first) + 1, source.find(b"\n", stop)
    before = " ".join(source[begin:end].decode().split())
    after = " ".join(mutated[begin : end + len(mutated) - len(source)].decode().split())
    return Mutant(file, line, what, first, stop, text, before, after)


def _changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str, str]]:
    """(node, what is done to it, the text that takes its place) for all nodes that are code."""
    for node in _code(tree):
        for what, other in _of_node(node):
            yield node, what, ast.unparse(other)
        yield from _of_statement(node)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but types, decorators, docstrings, messages of errors, `__all__` and what only checkers read."""
    for child in ast.iter_child_nodes(node):
        if _is_no_code(child, node):
            continue
        yield child
        yield from _code(child)


def _is_no_code(child: ast.AST, parent: ast.AST) -> bool:
    match parent:
        case ast.FunctionDef(decorator_list=marks) if child in marks or child is parent.returns:
            return True
        case ast.ClassDef(decorator_list=marks, bases=bases) if child in marks or child in bases:
            return True
        case ast.arg() | ast.Raise() | ast.JoinedStr():
            return True
        case ast.AnnAssign(annotation=kind) if child is kind:
            return True
        case ast.keyword(arg="strict"):  # an assertion, as `assert` is
            return True
    match child:
        case ast.Expr(value=ast.Constant(value=str())) | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__" | "Chunk" | "Family" | "WindowKind")]):
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() | ast.Call(func=ast.Name(id="TypeVar"))):
            return isinstance(parent, ast.Module) and name[0].isupper() and not name.isupper()
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.ClassDef(bases=bases):
            return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in bases)
        case ast.FunctionDef(decorator_list=marks):
            return any(isinstance(mark, ast.Name) and mark.id == "abstractmethod" for mark in marks)
    return False


def _of_node(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Changes to an expression."""
    match node:
        case ast.Compare():
            for place, op in enumerate(node.ops):
                other = copy.deepcopy(node)
                other.ops[place] = COMPARED[type(op)]()
                yield "comparison", other
        case ast.BinOp(op=op) if type(op) in COMPUTED and not _is_text(node):
            yield "arithmetic", ast.BinOp(node.left, COMPUTED[type(op)](), node.right)
        case ast.BoolOp(op=op):
            yield "and/or", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), node.values)
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub()):
            yield "negation", node.operand
        case ast.Constant(value=bool()):
            yield "constant", ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield "constant", ast.Constant(node.value + 1)
            yield "constant", ast.Constant(node.value - 1)
        case ast.Name(id=name) if name in SWAPPED:
            yield "min/max", ast.Name(SWAPPED[name])
        case ast.Attribute(attr=name) if name in SWAPPED:
            yield "min/max", ast.Attribute(node.value, SWAPPED[name])
        case ast.Subscript(slice=ast.Slice()):
            yield from (("slice", other) for other in _slices(node))
        case ast.IfExp():
            yield "condition", ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def _slices(node: ast.Subscript) -> Iterator[ast.Subscript]:
    one = ast.Constant(1)
    lower, upper = node.slice.lower, node.slice.upper
    first = one if lower is None else ast.BinOp(lower, ast.Add(), one)
    last = ast.UnaryOp(ast.USub(), one) if upper is None else ast.BinOp(upper, ast.Sub(), one)
    for part in (ast.Slice(first, upper, node.slice.step), ast.Slice(lower, last, node.slice.step)):
        yield ast.Subscript(node.value, part)


def _of_statement(node: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
    """Changes to a statement: left out, another value returned, a condition turned round."""
    match node:
        case ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError"))):
            return  # an assertion, as `assert` is
        case ast.Expr(value=ast.Call()) | ast.Continue() | ast.Break() | ast.Raise():
            yield node, "statement", "pass"
        case ast.AugAssign(op=op) if type(op) in COMPUTED:
            yield node, "statement", "pass"
            yield node, "arithmetic", ast.unparse(ast.AugAssign(node.target, COMPUTED[type(op)](), node.value))
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, "statement", "pass"
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield node, "return", "return None"
        case ast.If(test=test) | ast.While(test=test) if not isinstance(test, ast.UnaryOp):
            yield test, "condition", f"(not ({ast.unparse(test)}))"


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_text(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(isinstance(side, ast.JoinedStr) or getattr(side, "value", 0).__class__ is str for side in sides)
