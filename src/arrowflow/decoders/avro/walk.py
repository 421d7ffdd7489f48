"""The strict walk over one record's bytes: every length, number and text of it checked before anything is made of them.

It refuses what Avro does not allow and some readers take: numbers of more bits than their type, negative lengths,
blocks that are not as long as they say, bytes left over. It makes no values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from arrowflow.decoders.avro.tree import Node
from arrowflow.decoders.avro.values import bounds_of
from arrowflow.decoders.grammar import Wanted
from arrowflow.decoders.verdict import Refused, snippet

MOST_HOLLOW: Final = 1_024
"""Items of a record that may take no bytes, such as nulls in an array: a few bytes could promise any number of them."""
_MOST_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a record may be.

    Parameters
    ----------
    max_bytes : int
        Bytes of the value, its framing included.
    max_depth : int
        Records, arrays and maps inside one another; the record itself is 1.
    """

    max_bytes: int = 4 * 1024 * 1024
    max_depth: int = 64


def walk(data: bytes, begin: int, root: Node, wanted: Wanted, bounds: Bounds) -> dict[int, Node]:
    """Return the type of each wanted value that is there, by the index of its column; no type for a null.

    Parameters
    ----------
    data, begin : bytes, int
        One value, and where the record in it begins.
    root, wanted, bounds
        What the record was written as, the tree of the columns' paths, and how large it may be.

    Raises
    ------
    Refused
        With ``syntax``, ``utf8``, ``too_deep``, ``too_large`` or ``trailing_data``, for the first thing wrong.
    """
    walker = _Walker(data, begin, bounds)
    walker.visit(root, wanted, 0)
    if walker.at < len(data):
        raise Refused(
            "trailing_data",
            f"the record ends at byte {walker.at} and the value has {len(data)}: {snippet(data[walker.at :])} is left over; "
            "was it written by another schema?",
        )
    return walker.found


class _Walker:
    def __init__(self, data: bytes, at: int, bounds: Bounds) -> None:
        self.data = data
        self.at = at
        self.found: dict[int, Node] = {}
        self._bounds = bounds
        self._hollow_items = 0
        self._path: list[str] = []

    def visit(self, node: Node, wanted: Wanted | None, depth: int) -> None:
        """Pass one value; `depth` counts what encloses it."""
        if node.kind == "union":
            node = node.branches[self._index(node, len(node.branches), "branches")]
        if wanted is not None and wanted.field is not None and node.kind != "null":
            self.found[wanted.field] = node
        match node.kind:
            case "null":
                pass
            case "int" | "long":
                self._number(*bounds_of(node), node.kind)
            case "enum":
                self._index(node, len(node.symbols), "symbols")
            case "boolean" | "float" | "double" | "fixed":
                self._skip(node.size, node.text)
                if node.kind == "boolean" and self.data[self.at - 1] > 1:
                    raise self._wrong(f"{self.data[self.at - 1]} is no boolean, which is 0 or 1", self.at - 1)
            case "bytes" | "string":
                self._text(node)
            case "array" | "map":
                self._blocks(node, self._deeper(depth))
            case _:
                self._record(node, wanted, self._deeper(depth))

    def _record(self, node: Node, wanted: Wanted | None, depth: int) -> None:
        children = {} if wanted is None else wanted.children
        for name, field in node.fields:
            self._path.append(name)
            self.visit(field, children.get(name), depth)
            self._path.pop()

    def _blocks(self, node: Node, depth: int) -> None:
        assert node.items is not None
        hollow = node.kind == "array" and node.items.is_hollow
        while True:
            begin, count = self.at, self._number(*_ANY, "a count")
            end = None
            if count < 0:
                size = self._number(*_ANY, "a size")
                if not 0 <= size <= len(self.data) - self.at:
                    raise self._wrong(f"a block of {size} bytes, of which {len(self.data) - self.at} are there", begin)
                count, end = -count, self.at + size
            if count == 0:
                return
            self._count(count, begin, hollow=hollow)
            for _ in range(count):
                if node.kind == "map":
                    self._text(_KEY)
                self.visit(node.items, None, depth)
            if end is not None and self.at != end:
                raise self._wrong(f"a block says that it ends at byte {end} and ends at {self.at}", begin)

    def _count(self, count: int, begin: int, *, hollow: bool) -> None:
        if count >= 2**63 or (not hollow and count > len(self.data) - self.at):
            raise self._wrong(f"a block of {count} items, and {len(self.data) - self.at} bytes are left", begin)
        self._hollow_items += count if hollow else 0
        if self._hollow_items > MOST_HOLLOW:
            raise Refused("too_large", f"{self._where()}arrays have more than {MOST_HOLLOW} items that take no bytes")

    def _text(self, node: Node) -> None:
        begin, size = self.at, self._number(*_ANY, "a length")
        if not 0 <= size <= len(self.data) - self.at:
            raise self._wrong(f"a length of {size} bytes, of which {len(self.data) - self.at} are there", begin)
        text = self.data[self.at : self.at + size]
        self.at += size
        if node.kind == "string":
            try:
                text.decode()
            except UnicodeDecodeError as error:
                raise Refused(
                    "utf8", f"{self._where()}byte {error.start} of the text is not UTF-8: {snippet(text)}"
                ) from None

    def _skip(self, size: int, what: str) -> None:
        if size > len(self.data) - self.at:
            raise self._wrong(f"{what} of {size} bytes, of which {len(self.data) - self.at} are there", self.at)
        self.at += size

    def _index(self, node: Node, count: int, what: str) -> int:
        begin, index = self.at, self._number(*_ANY, "a number")
        if not 0 <= index < count:
            raise self._wrong(f"{node.text} has {count} {what}, and this is number {index}", begin)
        return index

    def _number(self, low: int, high: int, what: str) -> int:
        """Read a zigzag number; raises `Refused` where it is cut off or out of bounds."""
        begin, shift, word = self.at, 0, 0
        while True:
            if self.at >= len(self.data):
                raise self._wrong(f"the record is cut off in {what}", begin)
            byte = self.data[self.at]
            self.at += 1
            word |= (byte & 0x7F) << shift
            shift += 7
            if word >> _MOST_BITS or (byte > 0x7F and shift >= _MOST_BITS):
                raise self._wrong(f"{what} of more than {_MOST_BITS} bits", begin)
            if byte <= 0x7F:
                break
        value = (word >> 1) ^ -(word & 1)
        if not low <= value <= high:
            raise self._wrong(f"{value} is no {what}, which lies between {low} and {high}", begin)
        return value

    def _deeper(self, depth: int) -> int:
        if depth >= self._bounds.max_depth:
            raise Refused(
                "too_deep",
                f"{self._where()}records, arrays and maps lie in one another more than {self._bounds.max_depth} times",
            )
        return depth + 1

    def _wrong(self, sentence: str, at: int) -> Refused:
        return Refused("syntax", f"{self._where()}byte {at}: {sentence}; was it written by another schema?")

    def _where(self) -> str:
        return f"field {'.'.join(self._path)[:120]!r}, " if self._path else ""


_KEY: Final = Node("string")
_ANY: Final = bounds_of(Node("long"))
