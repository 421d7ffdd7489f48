"""A writer's schema as a tree: its JSON text read and checked, nothing of it lost that decoding hangs on. Sees no record."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from arrowflow.errors import ConfigError

PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
NAMED: Final = ("record", "error", "enum", "fixed")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEEPEST: Final = 200
_WIDTHS: Final = {"boolean": 1, "float": 4, "double": 8}


class Node:
    """One type of a schema; records may contain themselves.

    Parameters
    ----------
    kind : str
        One of `PRIMITIVES`, or ``record``, ``enum``, ``fixed``, ``array``, ``map``, ``union``.
    name : str
        The full name of a named type, "" for others.
    """

    __slots__ = ("_hollow", "branches", "fields", "items", "kind", "logical", "name", "places", "size", "symbols")

    def __init__(self, kind: str, name: str = "") -> None:
        self.kind = kind
        self.name = name
        self.logical = ""
        self.places = 0
        self.size = _WIDTHS.get(kind, 0)
        self.symbols: tuple[str, ...] = ()
        self.fields: tuple[tuple[str, Node], ...] = ()
        self.branches: tuple[Node, ...] = ()
        self.items: Node | None = None
        self._hollow: bool | None = None

    @property
    def is_hollow(self) -> bool:
        """Whether values take no bytes at all: nothing but nulls, fixed of size 0, and records of those."""
        if self._hollow is None:
            seen: dict[int, Node] = {}
            waiting = [self]
            while waiting:
                node = waiting.pop()
                if id(node) not in seen:
                    seen[id(node)] = node
                    waiting += [inner for _, inner in node.fields]
            self._hollow = all(
                node.kind in ("null", "record") or (node.kind == "fixed" and node.size == 0) for node in seen.values()
            )
        return self._hollow

    @property
    def text(self) -> str:
        """How messages name the type."""
        if self.kind == "union":
            return f"a union of {', '.join(branch.text for branch in self.branches)}"
        logical = f"decimal with {self.places} places" if self.logical == "decimal" else self.logical
        return " ".join(part for part in (self.kind, self.name, f"({logical})" if logical else "") if part)


def read_tree(text: str) -> Node:
    """Return the type that the JSON text of a schema describes.

    Raises
    ------
    ConfigError
        For text that is no JSON, or no Avro schema, naming the place in it.
    """
    return _Reader().read(_parsed(text), "", "the schema", 0)


def plain(text: str) -> Any:  # noqa: ANN401 - a JSON document
    """Return the schema as data without what only gives values another meaning: logical types, defaults, docs, aliases."""
    return _stripped(_parsed(text), ("type", "name", "namespace", "fields", "items", "values", "size", "symbols"))


def digest(text: str) -> str:
    """Return a SHA-256 of what decoding hangs on: docs, defaults, aliases and spacing do not count."""
    kept = (
        "type",
        "name",
        "namespace",
        "fields",
        "items",
        "values",
        "size",
        "symbols",
        "logicalType",
        "precision",
        "scale",
    )
    return hashlib.sha256(json.dumps(_stripped(_parsed(text), kept), sort_keys=True).encode()).hexdigest()


def _parsed(text: str) -> Any:  # noqa: ANN401 - a JSON document
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if (word := text.strip()) in PRIMITIVES:
            return word
        raise ConfigError(f"this is no JSON, as a schema is: {error}") from None


def _stripped(schema: Any, kept: tuple[str, ...]) -> Any:  # noqa: ANN401 - a JSON document
    if isinstance(schema, list):
        return [_stripped(each, kept) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: value for key, value in schema.items() if key in kept}
    for key in ("type", "items", "values"):
        if key in inner:
            inner[key] = _stripped(inner[key], kept)
    if isinstance(inner.get("fields"), list):
        inner["fields"] = [_stripped(each, kept) for each in inner["fields"]]
    return inner


class _Reader:
    """One walk over one schema; knows the names that it has met."""

    def __init__(self) -> None:
        self._known: dict[str, Node] = {}

    def read(self, schema: object, space: str, place: str, depth: int) -> Node:
        if depth > _DEEPEST:
            raise ConfigError(f"{place}: types lie in one another more than {_DEEPEST} times")
        if isinstance(schema, str):
            return self._named(schema, space, place)
        if isinstance(schema, list):
            return self._union(schema, space, place, depth)
        if not isinstance(schema, dict) or "type" not in schema:
            raise ConfigError(f"{place}: {_shown(schema)} is no type; write a name, a list, or an object with a type")
        kind = schema["type"]
        if not isinstance(kind, str):
            return self.read(kind, space, place, depth + 1)
        if kind in ("array", "map"):
            return self._items(kind, schema, space, place, depth)
        if kind in NAMED:
            return self._define(kind, schema, space, place, depth)
        node = self._named(kind, space, place)
        return _with_logical(node, schema) if kind in PRIMITIVES else node

    def _named(self, name: str, space: str, place: str) -> Node:
        if name in PRIMITIVES:
            return Node(name)
        for full in (name,) if "." in name or not space else (f"{space}.{name}", name):
            if full in self._known:
                return self._known[full]
        raise ConfigError(
            f"{place}: the type {name!r} is not defined before it is used; put its definition here, registry references "
            "are not followed"
        )

    def _union(self, schema: list[object], space: str, place: str, depth: int) -> Node:
        node = Node("union")
        node.branches = tuple(self.read(each, space, place, depth + 1) for each in schema)
        if not node.branches:
            raise ConfigError(f"{place}: a union of nothing has no value")
        if any(branch.kind == "union" for branch in node.branches):
            raise ConfigError(f"{place}: a union directly in a union is not Avro")
        return node

    def _items(self, kind: str, schema: Mapping[str, object], space: str, place: str, depth: int) -> Node:
        key = "items" if kind == "array" else "values"
        if key not in schema:
            raise ConfigError(f"{place}: the {kind} does not say its {key}")
        node = Node(kind)
        node.items = self.read(schema[key], space, f"{place}, its {key}", depth + 1)
        return node

    def _define(self, kind: str, schema: Mapping[str, object], space: str, place: str, depth: int) -> Node:
        full, space = _full_name(schema, space, place)
        if full in self._known:
            raise ConfigError(f"{place}: the type {full!r} is defined twice")
        node = self._known[full] = Node("record" if kind == "error" else kind, full)
        if kind == "enum":
            node.symbols = _symbols(schema, full)
        elif kind == "fixed":
            size = schema.get("size")
            if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**31:
                raise ConfigError(f"fixed {full}: {_shown(size)} is no size; write a number of bytes")
            node.size = size
            _with_logical(node, schema)
        else:
            node.fields = tuple(self._fields(schema, full, space, depth))
        return node

    def _fields(self, schema: Mapping[str, object], full: str, space: str, depth: int) -> list[tuple[str, Node]]:
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise ConfigError(f"record {full}: it does not list its fields")
        found: dict[str, Node] = {}
        for field in fields:
            name = field.get("name") if isinstance(field, dict) else None
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ConfigError(
                    f"record {full}: {_shown(field)} is no field; it needs a name of letters, digits and _"
                )
            if name in found:
                raise ConfigError(f"record {full}: the field {name!r} is there twice")
            if "type" not in field:
                raise ConfigError(f"record {full}: the field {name!r} has no type")
            found[name] = self.read(field["type"], space, f"field {name!r} of record {full}", depth + 1)
        return list(found.items())


def _full_name(schema: Mapping[str, object], space: str, place: str) -> tuple[str, str]:
    """Return (full name, the namespace that names inside it are looked up in)."""
    name, own = schema.get("name"), schema.get("namespace", space)
    if not isinstance(name, str) or not isinstance(own, str) or not all(map(_NAME.fullmatch, name.split("."))):
        raise ConfigError(f"{place}: {_shown(name)} is no name of a type; write letters, digits and _")
    if "." in name:
        return name, name.rpartition(".")[0]
    return (f"{own}.{name}" if own else name), own


def _symbols(schema: Mapping[str, object], full: str) -> tuple[str, ...]:
    symbols = schema.get("symbols")
    if not isinstance(symbols, list) or not symbols or not all(isinstance(each, str) for each in symbols):
        raise ConfigError(f"enum {full}: it needs a list of symbols")
    if len(set(symbols)) < len(symbols):
        raise ConfigError(f"enum {full}: a symbol is there twice")
    return tuple(symbols)


_LOGICAL: Final = {
    "int": ("date", "time-millis"),
    "long": (
        "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
        "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos",
    ),
    "string": ("uuid",),
    "bytes": ("decimal",),
    "fixed": ("decimal", "uuid"),
}  # fmt: skip
"""Logical types with a meaning here; by the rules of Avro any other, and any on another type, is as if it were not there."""


def _with_logical(node: Node, schema: Mapping[str, object]) -> Node:
    logical = schema.get("logicalType")
    if not isinstance(logical, str) or logical not in _LOGICAL.get(node.kind, ()):
        return node
    if logical == "decimal":
        digits, places = _count(schema.get("precision")), _count(schema.get("scale", 0))
        if digits < 1 or not 0 <= places <= digits:
            return node
        node.places = places
    if logical == "uuid" and node.kind == "fixed" and node.size != 16:
        return node
    node.logical = logical
    return node


def _count(value: object) -> int:
    """Return a number of the schema, -1 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
