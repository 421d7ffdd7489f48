"""What a path of field names leads to in a writer's schema, and what is wrong with a column that takes it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from arrowflow.decoders.avro.tree import Node
from arrowflow.decoders.avro.values import suggestion, takes
from arrowflow.decoders.schema import Field


def leaves(node: Node, keys: Sequence[str]) -> Iterator[Node]:
    """Yield the types that a path leads to, the branches of unions one by one, null left out."""
    if node.kind == "union":
        for branch in node.branches:
            yield from leaves(branch, keys)
    elif not keys:
        if node.kind != "null":
            yield node
    else:
        for name, inner in node.fields:
            if name == keys[0]:
                yield from leaves(inner, keys[1:])


def reads_text(root: Node, keys: Sequence[str]) -> bool:
    """Whether a path leads to text and to nothing else."""
    return all(leaf.kind == "string" for leaf in leaves(root, keys))


def column_fault(field: Field, roots: Mapping[str, Node]) -> str | None:
    """Say why a column cannot be read by schemas, each under the name messages give it; None if it can.

    A field that some schemas lack is null in their records; one that none has is a mistake.
    """
    found = False
    for name, root in roots.items():
        met = list(leaves(root, field.keys))
        exists = bool(met) or _leads(root, field.keys)
        found |= exists
        if met and not any(takes(field.column, leaf) for leaf in met):
            written = " or ".join(dict.fromkeys(leaf.text for leaf in met))
            wanted = " or ".join(dict.fromkeys(suggestion(leaf) for leaf in met))
            return (
                f"column {field.name!r} is {field.column.text}, and {'.'.join(field.keys)!r} of {name} is {written}: "
                f"write {wanted}"
            )
    return None if found else _missing(field, roots)


def root_fault(name: str, root: Node) -> str | None:
    """Say why columns cannot be named in a schema; None if they can."""
    kinds = [branch.kind for branch in root.branches] if root.kind == "union" else [root.kind]
    if "record" in kinds:
        return None
    return f"{name} is {root.text}, and columns are fields of a record"


def _leads(node: Node, keys: Sequence[str]) -> bool:
    """Whether a path is there at all, be it to a null alone."""
    if node.kind == "union":
        return any(_leads(branch, keys) for branch in node.branches)
    return not keys or any(name == keys[0] and _leads(inner, keys[1:]) for name, inner in node.fields)


def _missing(field: Field, roots: Mapping[str, Node]) -> str:
    path = ".".join(field.keys)
    for depth in range(len(field.keys) - 1, 0, -1):
        for name, root in roots.items():
            for leaf in leaves(root, field.keys[:depth]):
                here = ".".join(field.keys[:depth])
                if leaf.kind in ("array", "map"):
                    return (
                        f"column {field.name!r} reads {path!r}, and {here!r} of {name} is a {leaf.kind}, into which no path "
                        f'leads: read the whole of it as a column of type "json" with path = "{here}"'
                    )
                return _unknown(field, path, f"{here!r} of {name}", leaf)
    name, root = next(iter(roots.items()))
    return _unknown(field, path, name, root)


def _unknown(field: Field, path: str, where: str, node: Node) -> str:
    names = sorted(_names(node))
    near = difflib.get_close_matches(field.keys[-1], names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    some = f", only {', '.join(names[:12])}{' and others' if len(names) > 12 else ''}" if names else ""
    return f"column {field.name!r} reads {path!r}, and there is no such field in {where}{some}{hint}"


def _names(node: Node) -> set[str]:
    if node.kind == "union":
        return {name for branch in node.branches for name in _names(branch)}
    return {name for name, _ in node.fields}
