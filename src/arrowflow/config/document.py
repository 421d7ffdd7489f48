"""A TOML file as plain values plus the place of every key; it knows TOML and never what the keys mean."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import tree_sitter
import tree_sitter_toml

from arrowflow.config.problem import InvalidConfig, Path, Place, Problem, dotted, printable

Value = Any
"""Whatever TOML can hold."""

MAX_BYTES = 1024 * 1024
"""Nobody writes a larger configuration by hand; a bomb stops here."""

_DEEPEST = 32
_TOO_DEEP = "values are nested too deep; nothing here needs ten levels"
_TOP = Place(1, 1)
_TOML_PLACE = re.compile(
    r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL
)


@dataclass(slots=True)
class Document:
    """Values and places of one file.

    Parameters
    ----------
    file : str
        The name to print.
    values : dict
        What the file says; changed in place while it is being read, never afterwards.
    keys, entries : dict of Path to Place
        Where each key and each value begins.
    """

    file: str
    values: dict[str, Any]
    keys: dict[Path, Place] = field(default_factory=dict)
    entries: dict[Path, Place] = field(default_factory=dict)

    def problem(self, path: Path, sentence: str, *, at_key: bool = False) -> Problem:
        """Say `sentence` about `path`, placed at its value (or its key), or at the nearest table around it."""
        one_line = printable("; ".join(line.strip() for line in sentence.splitlines() if line.strip()))
        return Problem(self.file, self.place(path, at_key=at_key), dotted(path), one_line)

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Return where `path` stands, or where the nearest thing around it does."""
        first, second = (self.keys, self.entries) if at_key else (self.entries, self.keys)
        for length in range(len(path), 0, -1):
            found = first.get(path[:length]) or second.get(path[:length])
            if found is not None:
                return found
        return _TOP

    def get(self, *path: str | int) -> Value:
        """Return the value at `path`, or None."""
        value: Value = self.values
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def replace(self, change: Callable[[Path, str], str]) -> None:
        """Put every string value through `change`."""
        self.values = _changed(self.values, (), change)


def _changed(value: Value, path: Path, change: Callable[[Path, str], str]) -> Value:
    if isinstance(value, str):
        return change(path, value)
    if isinstance(value, dict):
        return {key: _changed(item, (*path, key), change) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, (*path, index), change) for index, item in enumerate(value)]
    return value


def read_document(path: str | FilePath) -> Document:
    """Read a TOML file.

    Raises
    ------
    InvalidConfig
        With every duplicate key, or the first syntax error, or why the file is none that can be read.
    """
    file = printable(str(path))
    text = _read_text(FilePath(path), file)
    try:
        walk = _Walk(text)
    except RecursionError:
        raise InvalidConfig([Problem(file, _TOP, "", _TOO_DEEP)]) from None
    try:
        values = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(_syntax_problems(file, text, walk, str(error))) from None
    except RecursionError:
        raise InvalidConfig([Problem(file, _TOP, "", _TOO_DEEP)]) from None
    return Document(file, values, walk.keys, walk.entries)


def _read_text(path: FilePath, file: str) -> str:
    if path.suffix.lower() in {".yaml", ".yml", ".json"}:
        raise InvalidConfig(
            [
                _at_top(
                    file,
                    f"arrowflow reads TOML, not {path.suffix[1:].upper()}; `arrowflow init` writes a file to start from",
                )
            ]
        )
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidConfig(
            [_at_top(file, f"cannot be read: {reason}; `arrowflow init` writes a file to start from")]
        ) from None
    if size > MAX_BYTES:
        raise InvalidConfig([_at_top(file, f"has {size} bytes; a configuration may have {MAX_BYTES}")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        place = Place(line, error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1)
        raise InvalidConfig([Problem(file, place, "", "this byte is not UTF-8; save the file as UTF-8")]) from None


def _at_top(file: str, sentence: str) -> Problem:
    return Problem(file, _TOP, "", sentence)


def _syntax_problems(file: str, text: str, walk: _Walk, message: str) -> list[Problem]:
    twice = [
        Problem(file, again, dotted(path), f"is already set on line {first.line}; keep one of the two")
        for path, first, again in walk.twice
    ]
    if twice:
        return twice
    found = _TOML_PLACE.match(message)
    what = found["what"] if found else message
    if found and found["line"]:
        place = Place(int(found["line"]), int(found["column"]))
    else:
        lines = text.rstrip("\n").split("\n")
        place = Place(len(lines), len(lines[-1]) + 1)
    return [Problem(file, place, "", f"not valid TOML: {printable(what)}{_yaml_hint(text)}")]


def _yaml_hint(text: str) -> str:
    if re.search(r"^(---|%YAML)|^[\w.-]+:(\s|$)|!!python/|^\s*- \w", text, re.MULTILINE):
        return "; this looks like YAML, and arrowflow reads TOML only: write `key = value` under [table] headers"
    return ""


class _Walk:
    """One pass over the syntax tree that notes where each key and value begins, and keys set twice."""

    def __init__(self, text: str) -> None:
        self.keys: dict[Path, Place] = {}
        self.entries: dict[Path, Place] = {}
        self.twice: list[tuple[Path, Place, Place]] = []
        self._lengths: dict[Path, int] = {}
        self._tables: dict[Path, Place] = {}
        self._lines = text.encode().split(b"\n")
        parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
        root = parser.parse(text.encode()).root_node
        for node in root.named_children:
            self._block(node)
        if root.has_error:
            self.twice = []  # the tree is a guess then, and what it takes for the same key may be none

    def _block(self, node: tree_sitter.Node) -> None:
        if node.type == "pair":
            self._pair(node, ())
        elif node.type in {"table", "table_array_element"} and node.named_children:
            path = self._header(node)
            for child in node.named_children[1:]:
                if child.type == "pair":
                    self._pair(child, path)

    def _header(self, node: tree_sitter.Node) -> Path:
        parts = list(self._key_parts(node.named_children[0]))
        place = self._place(parts[-1][1]) if parts else _TOP
        path = self._under((), parts[:-1])
        path = (*path, parts[-1][0]) if parts else path
        self.keys.setdefault(path, place)
        if node.type == "table":
            self._once(self._tables, path, place)
            return self._last(path)
        index = self._lengths.get(path, 0)
        self._lengths[path] = index + 1
        self.keys[(*path, index)] = place
        return (*path, index)

    def _pair(self, node: tree_sitter.Node, table: Path) -> None:
        if len(node.named_children) < 2:
            return
        key, value = node.named_children[0], node.named_children[1]
        parts = list(self._key_parts(key))
        if not parts:
            return
        path = (*self._under(table, parts[:-1]), parts[-1][0])
        place = self._place(parts[-1][1])
        if path in self.entries:
            self.twice.append((path, self.keys[path], place))
        self.keys.setdefault(path, place)
        self._value(value, path)

    def _value(self, node: tree_sitter.Node, path: Path) -> None:
        self._check_depth(path)
        self.entries.setdefault(path, self._place(node))
        if node.type == "inline_table":
            for child in node.named_children:
                if child.type == "pair":
                    self._pair(child, path)
        elif node.type == "array":
            items = [child for child in node.named_children if child.type != "comment"]
            for index, child in enumerate(items):
                self._value(child, (*path, index))

    def _under(self, path: Path, parts: list[tuple[str, tree_sitter.Node]]) -> Path:
        for name, node in parts:
            self._check_depth(path)
            path = (*path, name)
            self.keys.setdefault(path, self._place(node))
            path = self._last(path)
        return path

    def _last(self, path: Path) -> Path:
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _once(self, seen: dict[Path, Place], path: Path, place: Place) -> None:
        full = self._last(path)
        if full in seen:
            self.twice.append((path, seen[full], place))
        seen.setdefault(full, place)

    def _key_parts(self, node: tree_sitter.Node) -> Iterator[tuple[str, tree_sitter.Node]]:
        waiting = [node]
        while waiting:  # not recursive: a key of many dots is a tree as deep as it is long
            part = waiting.pop()
            if part.type == "dotted_key":
                waiting += reversed(part.named_children)
            elif part.type in {"bare_key", "quoted_key"} and part.text is not None:
                yield _key_name(part.text.decode()), part

    def _check_depth(self, path: Path) -> None:
        if len(path) > _DEEPEST:
            raise RecursionError(_TOO_DEEP)

    def _place(self, node: tree_sitter.Node) -> Place:
        row, column = node.start_point
        return Place(row + 1, len(self._lines[row][:column].decode(errors="replace")) + 1)


def _key_name(text: str) -> str:
    if text[:1] not in {'"', "'"}:
        return text
    try:
        return str(tomllib.loads(f"key = {text}")["key"])
    except tomllib.TOMLDecodeError:
        return text
