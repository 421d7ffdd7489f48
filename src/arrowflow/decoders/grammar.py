"""The strict JSON reader: walks one document once, without recursion, and keeps where the wanted values are.

It judges text, never values: types, ranges and required fields are `dialect.py`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from arrowflow.decoders.verdict import Refused, snippet

_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_ESCAPE: Final = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_UNICODE_ESCAPE: Final = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_WORD: Final = re.compile(rb"[-+.0-9A-Za-z_]*")
_PLAIN_MEMBER: Final = re.compile(
    rb'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*(?:("[^"\\\x00-\x1f]*")|([-+.0-9A-Za-z_]+))'
)
NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CLOSER: Final = {b"{": b"}", b"[": b"]"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a record may be before it is refused.

    Parameters
    ----------
    max_bytes : int
        Bytes of the whole value.
    max_depth : int
        Objects and arrays inside one another; the top-level object is 1.
    max_fields : int
        Members of all objects of a record together.
    max_string_bytes : int
        Bytes of one string or member name as written between its quotes.
    """

    max_bytes: int = 4 * 1024 * 1024
    max_depth: int = 64
    max_fields: int = 1024
    max_string_bytes: int = 1024 * 1024


class Token(NamedTuple):
    """A value found: its first byte (``0`` for any number) and its text without surrounding space."""

    kind: bytes
    text: bytes


class Wanted:
    """The wanted fields as a tree of member names; a leaf has a `field` index, a step on the way has `children`."""

    __slots__ = ("children", "field", "leaves")

    def __init__(self) -> None:
        self.children: dict[str, Wanted] = {}
        self.leaves: list[int] = []
        self.field: int | None = None

    @classmethod
    def of(cls, paths: Sequence[tuple[str, ...]]) -> Wanted:
        """Build the tree of paths none of which leads through another."""
        root = cls()
        for index, path in enumerate(paths):
            node = root
            for step in path:
                node.leaves.append(index)
                node = node.children.setdefault(step, cls())
            node.leaves.append(index)
            node.field = index
        return root


class _Frame(NamedTuple):
    """A container that is open: what closes it, which wanted value it is, where it starts."""

    closer: bytes
    wanted: Wanted | None
    start: int


def read_document(text: bytes, wanted: Wanted, limits: Limits) -> dict[int, Token]:
    """Return the wanted values of a valid UTF-8 document by field index; absent ones are left out.

    The last of equal names wins. Raises `Refused` with the first thing wrong in reading order.
    Time is linear in ``len(text)``; memory is the open containers, at most `Limits.max_depth`.
    """
    return _Reader(text, wanted, limits).read()


class _Reader:
    """One walk over one document. `_at` is the next byte to read; every method leaves it behind what it read."""

    def __init__(self, text: bytes, wanted: Wanted, limits: Limits) -> None:
        self._text = text
        self._wanted = wanted
        self._limits = limits
        self._at = 0
        self._members = 0
        self._open: list[_Frame] = []
        self._found: dict[int, Token] = {}

    def read(self) -> dict[int, Token]:
        is_object = self._next() == b"{"
        self._value(self._wanted)
        first = True
        while self._open:
            first = self._element(first)
        if self._next():
            rest = snippet(self._text[self._at : self._at + 50])
            raise Refused("trailing_data", f"the document ends before byte {self._at}, then comes {rest}")
        if not is_object:
            raise Refused("not_object", f"expected an object, the value is {snippet(self._text[:50].strip())}")
        return self._found

    def _element(self, first: bool) -> bool:
        """Read one element of the innermost container, or its end; return whether a first element comes next."""
        frame = self._open[-1]
        if self._next() == frame.closer:
            self._close()
            return False
        if not first:
            self._expect(b",")
            self._next()
        if frame.closer == b"}" and self._plain_member(frame.wanted):
            return False
        depth = len(self._open)
        self._value(self._name(frame.wanted) if frame.closer == b"}" else None)
        return len(self._open) > depth

    def _plain_member(self, parent: Wanted | None) -> bool:
        """Read a whole member at once if it has no escapes, no containers and nothing wrong; else read nothing.

        Nine members in ten are such; reading them in one match makes a record three times cheaper to judge.
        """
        member = _PLAIN_MEMBER.match(self._text, self._at)
        if member is None or self._members == self._limits.max_fields:
            return False
        name, string, word = member.groups()
        if max(len(name), len(string or b"") - 2) > self._limits.max_string_bytes:
            return False
        token = Token(b'"', string) if string else _word_token(word)
        if token is None:
            return False
        self._members += 1
        self._at = member.end()
        if parent is not None and (wanted := self._child(parent, name.decode())) is not None:
            self._keep(wanted, token)
        return True

    def _name(self, parent: Wanted | None) -> Wanted | None:
        """Read ``"name":`` and return what is wanted of its value."""
        self._next()
        written = self._string()
        self._expect(b":")
        self._members += 1
        if self._members > self._limits.max_fields:
            raise Refused("too_large", f"more than {self._limits.max_fields} members; raise max_fields to allow them")
        return None if parent is None else self._child(parent, unquote(written))

    def _child(self, parent: Wanted, name: str) -> Wanted | None:
        """Return what is wanted of a member's value; an earlier value of the same name is forgotten."""
        child = parent.children.get(name)
        for leaf in child.leaves if child else ():
            self._found.pop(leaf, None)
        return child

    def _value(self, wanted: Wanted | None) -> None:
        start_byte = self._next()
        start = self._at
        if start_byte in _CLOSER:
            self._push(_Frame(_CLOSER[start_byte], wanted, start))
            return
        token = Token(b'"', self._string()) if start_byte == b'"' else self._word()
        if wanted is not None:
            self._keep(wanted, token)

    def _push(self, frame: _Frame) -> None:
        if len(self._open) == self._limits.max_depth:
            raise Refused("too_deep", f"nested deeper than {self._limits.max_depth} at byte {self._at}")
        self._open.append(frame)
        self._at += 1

    def _close(self) -> None:
        frame = self._open.pop()
        self._at += 1
        wanted = frame.wanted
        on_the_way = wanted is not None and wanted.field is None and frame.closer == b"}"
        if wanted is not None and not on_the_way:
            self._keep(wanted, Token(self._text[frame.start : frame.start + 1], self._text[frame.start : self._at]))

    def _keep(self, wanted: Wanted, token: Token) -> None:
        """Keep a value, or, where an object was expected on the way to wanted fields, what stood there instead."""
        if wanted.field is None and token.kind == b"n":
            return
        for leaf in wanted.leaves:
            self._found[leaf] = token if wanted.field is not None else Token(b"", token.text)

    def _string(self) -> bytes:
        """Read a string with its quotes."""
        text, start, limit = self._text, self._at, self._limits.max_string_bytes
        self._expect(b'"')
        escaped = False
        while True:
            self._at = _end(_PLAIN, text, self._at)
            if self._at - start - 1 > limit:
                raise Refused("too_large", f"a string longer than {limit} bytes; raise max_string_bytes to allow it")
            if text.startswith(b'"', self._at):
                break
            escape = _ESCAPE.match(text, self._at)
            if escape is None:
                raise self._unexpected()
            self._at = escape.end()
            escaped = True
        self._at += 1
        written = text[start : self._at]
        if escaped:
            _check_surrogates(written)
        return written

    def _word(self) -> Token:
        """Read a number, true, false or null: all the characters that could belong to one must make one."""
        start = self._at
        self._at = _end(_WORD, self._text, start)
        word = self._text[start : self._at]
        if (token := _word_token(word)) is not None:
            return token
        self._at = start
        raise self._unexpected(word)

    def _next(self) -> bytes:
        """Skip white space and return the next byte without reading it, empty at the end."""
        byte = self._text[self._at : self._at + 1]
        if byte and byte in b" \t\n\r":
            self._at = _end(_SPACE, self._text, self._at)
            byte = self._text[self._at : self._at + 1]
        return byte

    def _expect(self, byte: bytes) -> None:
        if self._next() != byte:
            raise self._unexpected()
        self._at += 1

    def _unexpected(self, word: bytes = b"") -> Refused:
        if self._at >= len(self._text):
            return Refused("syntax", f"the text ends at byte {self._at} inside the document")
        seen = snippet(word or self._text[self._at : self._at + 12])
        return Refused("syntax", f"{seen} at byte {self._at} is not JSON here")


def _word_token(word: bytes) -> Token | None:
    """Return the number, true, false or null that a word is; None if it is none of them."""
    if word in (b"true", b"false", b"null"):
        return Token(word[:1], word)
    return Token(b"0", word) if NUMBER.fullmatch(word) else None


def unquote(written: bytes) -> str:
    """Return the text of a string token, quotes off and escapes resolved."""
    inner = written.decode()
    text: str = json.loads(inner) if "\\" in inner else inner[1:-1]
    return text


def _end(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    """Return where a pattern that also matches nothing stops matching."""
    match = pattern.match(text, at)
    return at if match is None else match.end()


def _check_surrogates(written: bytes) -> None:
    r"""Refuse a ``\ud800``-``\udbff`` that no ``\udc00``-``\udfff`` follows at once, and the reverse."""
    high_end = -1
    for escape in _UNICODE_ESCAPE.finditer(written):
        unit = int(escape[1], 16) if escape[1] else 0
        is_low = 0xDC00 <= unit <= 0xDFFF
        if is_low != (high_end == escape.start()):
            raise _lone(written)
        high_end = escape.end() if 0xD800 <= unit <= 0xDBFF else -1
        if high_end > 0 and not written.startswith(b"\\u", high_end):
            raise _lone(written)


def _lone(written: bytes) -> Refused:
    return Refused("surrogate", f"half of a surrogate pair in {snippet(written)}: not a character")
