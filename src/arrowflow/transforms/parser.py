"""Tokens to a tree, by a small grammar of SQL's scalar expressions. What it does not know, it refuses.

There is no grammar for subqueries, windows, ordering or star, so none can be written. Function names are
checked against the allow-list when the tree is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from arrowflow.errors import ConfigError
from arrowflow.transforms.syntax import Call, Cast, Column, Instant, Literal, Node
from arrowflow.transforms.tokens import Token, refusal, tokenize

MAX_NESTING = 50
"""Brackets, NOTs, CASEs and signs inside each other, and operators in one chain of + or *."""

CAST_KINDS = {"BIGINT": "integer", "DOUBLE": "float", "TEXT": "string", "VARCHAR": "string", "BOOLEAN": "boolean"}
EXTRACT_FIELDS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "EPOCH")

_COMPARISONS = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
# fmt: off
KEYWORDS = frozenset({
    "AND", "AS", "BETWEEN", "CASE", "CAST", "DISTINCT", "ELSE", "END", "EXISTS", "EXTRACT", "FALSE", "FROM", "ILIKE", "IN",
    "IS", "LIKE", "NOT", "NULL", "OR", "SELECT", "THEN", "TRUE", "TRY_CAST", "WHEN",
})
# fmt: on
"""Only what the grammar needs, so that columns called `timestamp` or `order` need no quotes."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T")


def parse(text: str) -> Node:
    """Return the tree of one SQL expression; raises `ConfigError` with the character where it went wrong."""
    parser = _Parser(text, tokenize(text))
    node = parser.disjunction()
    parser.expect_end()
    return node


@dataclass(slots=True)
class _Parser:
    """Recursive descent, one method per level of precedence, loosest first."""

    text: str
    tokens: list[Token]
    next: int = 0
    depth: int = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def disjunction(self) -> Node:
        at, args = self.token.at, [self.conjunction()]
        while self.take_word("OR"):
            args.append(self.conjunction())
        return args[0] if len(args) == 1 else Call("or", tuple(args), at)

    def conjunction(self) -> Node:
        at, args = self.token.at, [self.negation()]
        while self.take_word("AND"):
            args.append(self.negation())
        return args[0] if len(args) == 1 else Call("and", tuple(args), at)

    def negation(self) -> Node:
        at = self.token.at
        if not self.take_word("NOT"):
            return self.predicate()
        return Call("not", (self.nested(self.negation),), at)

    def predicate(self) -> Node:
        node = self.concatenation()
        while True:
            at = self.token.at
            if self.take_word("IS"):
                node = self.after_is(node, at)
            elif self.token.kind == "symbol" and self.token.value in _COMPARISONS:
                node = Call(_COMPARISONS[self.advance().value], (node, self.concatenation()), at)
                if self.token.kind == "symbol" and self.token.value in _COMPARISONS:
                    raise self.wrong("comparisons do not chain: write a < b AND b < c")
            elif self.token.is_word("NOT", "IN", "BETWEEN", "LIKE", "ILIKE"):
                node = self.after_operand(node, at)
            else:
                return node

    def after_is(self, node: Node, at: int) -> Node:
        negated = self.take_word("NOT")
        if self.take_word("DISTINCT"):
            self.expect_word("FROM")
            call = Call("is distinct from", (node, self.concatenation()), at)
        elif self.take_word("NULL"):
            call = Call("is null", (node,), at)
        elif self.token.is_word("TRUE", "FALSE"):
            value = self.advance().value.upper() == "TRUE"
            same = Call("is distinct from", (node, Literal(value, at)), at)
            return same if negated else Call("not", (same,), at)
        else:
            raise self.wrong("after IS comes NULL, TRUE, FALSE or DISTINCT FROM, or NOT and one of these")
        return Call("not", (call,), at) if negated else call

    def after_operand(self, node: Node, at: int) -> Node:
        negated = self.take_word("NOT")
        call: Node
        if self.take_word("IN"):
            self.expect("(")
            call = Call("in", (node, *self.nested(self.arguments)), at)
        elif self.take_word("BETWEEN"):
            low = self.concatenation()
            self.expect_word("AND")
            call = Call("and", (Call(">=", (node, low), at), Call("<=", (node, self.concatenation()), at)), at)
        elif self.token.is_word("LIKE", "ILIKE"):
            name = self.advance().value.lower()
            call = Call(name, (node, self.concatenation()), at)
        else:
            raise self.wrong("after NOT comes IN, BETWEEN or LIKE")
        return Call("not", (call,), at) if negated else call

    def concatenation(self) -> Node:
        at, args = self.token.at, [self.sum()]
        while self.take("||"):
            args.append(self.sum())
        return args[0] if len(args) == 1 else Call("||", tuple(args), at)

    def sum(self) -> Node:
        node, length = self.product(), 0
        while self.token.kind == "symbol" and self.token.value in ("+", "-"):
            operator = self.advance()
            node, length = Call(operator.value, (node, self.product()), operator.at), self.longer(length)
        return node

    def product(self) -> Node:
        node, length = self.signed(), 0
        while self.token.kind == "symbol" and self.token.value in ("*", "/", "%"):
            operator = self.advance()
            node, length = Call(operator.value, (node, self.signed()), operator.at), self.longer(length)
        return node

    def longer(self, length: int) -> int:
        if length >= MAX_NESTING:
            raise self.wrong(f"more than {MAX_NESTING} operators in a row: derive a column for a part of it")
        return length + 1

    def signed(self) -> Node:
        at = self.token.at
        if self.take("+"):
            return self.nested(self.signed)
        if not self.take("-"):
            return self.primary()
        if self.token.kind == "number":
            return self.number(sign=-1)
        return Call("unary -", (self.nested(self.signed),), at)

    def primary(self) -> Node:
        token = self.token
        if token.kind == "number":
            return self.number(sign=1)
        if token.kind == "text":
            return Literal(self.advance().value, token.at)
        if token.kind == "quoted":
            return Column(self.advance().value, token.at)
        if self.take("("):
            node = self.nested(self.disjunction)
            self.expect(")")
            return node
        if token.kind == "word":
            return self.word()
        raise self.wrong("a value, a column or '(' is needed here")

    def word(self) -> Node:
        token = self.advance()
        word = token.value.upper()
        if word in ("NULL", "TRUE", "FALSE"):
            return Literal({"NULL": None, "TRUE": True, "FALSE": False}[word], token.at)
        if word == "CASE":
            return self.nested(lambda: self.case(token.at))
        if word in ("CAST", "TRY_CAST"):
            return self.nested(lambda: self.cast(token.at, total=word == "CAST"))
        if word == "EXTRACT":
            return self.nested(lambda: self.extract(token.at))
        if word == "TIMESTAMP" and self.token.kind == "text":
            return self.timestamp()
        if word in KEYWORDS:
            quoted = f'"{token.value}"'
            raise refusal(self.text, token.at, f"{token.value} has no place here (a column of that name: {quoted})")
        if self.take("("):
            return Call(token.value.lower(), self.nested(self.arguments), token.at)
        return Column(token.value, token.at)

    def case(self, at: int) -> Node:
        subject = None if self.token.is_word("WHEN") else self.disjunction()
        args: list[Node] = []
        while self.take_word("WHEN"):
            condition = self.disjunction()
            self.expect_word("THEN")
            args += [condition if subject is None else Call("=", (subject, condition), at), self.disjunction()]
        if not args:
            raise self.wrong("CASE needs WHEN ... THEN ...")
        args.append(self.disjunction() if self.take_word("ELSE") else Literal(None, at))
        self.expect_word("END")
        return Call("case", tuple(args), at)

    def cast(self, at: int, *, total: bool) -> Node:
        self.expect("(")
        node = self.disjunction()
        self.expect_word("AS")
        kind = CAST_KINDS.get(self.token.value.upper()) if self.token.kind == "word" else None
        if kind is None:
            raise self.wrong(f"a type is needed here, one of {', '.join(CAST_KINDS)}")
        self.advance()
        self.expect(")")
        return Cast(node, kind, total, at)

    def extract(self, at: int) -> Node:
        self.expect("(")
        if not self.token.is_word(*EXTRACT_FIELDS):
            raise self.wrong(f"EXTRACT takes one of {', '.join(EXTRACT_FIELDS)} (in UTC)")
        field = self.advance().value.lower()
        self.expect_word("FROM")
        node = self.disjunction()
        self.expect(")")
        return Call(f"extract {field}", (node,), at)

    def timestamp(self) -> Node:
        token = self.advance()
        try:
            when = datetime.fromisoformat(token.value)
        except ValueError:
            when = None
        if when is None or when.tzinfo is None:
            raise refusal(
                self.text,
                token.at,
                f"timestamp {token.value!r}: write date, time and offset, as '2025-11-02T09:00:00Z'",
            )
        return Literal(Instant((when - _EPOCH) // timedelta(microseconds=1)), token.at)

    def number(self, *, sign: int) -> Node:
        token = self.advance()
        if not token.value.isdigit():
            return Literal(sign * float(token.value), token.at)
        value = sign * int(token.value)
        if not -(2**63) <= value < 2**63:
            raise refusal(self.text, token.at, f"{value} does not fit in 64 bits; write it as a float, {value}.0")
        return Literal(value, token.at)

    def arguments(self) -> tuple[Node, ...]:
        """The rest of a list after its '(' up to and including the ')'."""
        if self.take(")"):
            return ()
        args = [self.disjunction()]
        while self.take(","):
            args.append(self.disjunction())
        self.expect(")")
        return tuple(args)

    def nested(self, rule: Callable[[], T]) -> T:
        """Go one level deeper, so that no text can exhaust the stack."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.wrong(f"more than {MAX_NESTING} levels deep: derive a column for a part of it")
        node = rule()
        self.depth -= 1
        return node

    def advance(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.next += 1
        return token

    def take(self, symbol: str) -> bool:
        found = self.token.kind == "symbol" and self.token.value == symbol
        self.next += found
        return found

    def take_word(self, word: str) -> bool:
        found = self.token.is_word(word)
        self.next += found
        return found

    def expect(self, symbol: str) -> None:
        if not self.take(symbol):
            raise self.wrong(f"{symbol!r} is needed here")

    def expect_word(self, word: str) -> None:
        if not self.take_word(word):
            raise self.wrong(f"{word} is needed here")

    def expect_end(self) -> None:
        if self.token.kind != "end":
            raise self.wrong("the expression should end here")

    def wrong(self, what: str) -> ConfigError:
        found = "the end" if self.token.kind == "end" else repr(self.token.value)
        return refusal(self.text, self.token.at, f"found {found}: {what}")
