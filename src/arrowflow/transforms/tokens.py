"""SQL text to tokens. Refuses every character that no allowed expression needs."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from arrowflow.errors import ConfigError

MAX_LENGTH = 4000
"""Characters in an expression: a bound on the work and the memory one can ask for."""

TokenKind = Literal["number", "text", "quoted", "word", "symbol", "end"]

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<text>'(?:[^']|'')*')"
    r'|(?P<quoted>"(?:[^"]|"")+")'
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<symbol><=|>=|<>|!=|==|\|\||--|/\*|[-+*/%(),<>=])"
)


class Token(NamedTuple):
    """One token; `value` has its quotes removed, `at` counts characters from 0."""

    kind: TokenKind
    value: str
    at: int

    def is_word(self, *words: str) -> bool:
        """Whether this is one of the keywords, in any case; a quoted name never is."""
        return self.kind == "word" and self.value.upper() in words


def tokenize(text: str) -> list[Token]:
    """Return the tokens of an expression, the last of kind "end".

    Raises
    ------
    ConfigError
        At the first character that begins no token, and for comments and texts that are too long.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"expression of {len(text)} characters: at most {MAX_LENGTH} are allowed; split it")
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise refusal(text, at, f"{text[at]!r} has no place in an expression")
        if match.lastgroup != "space":
            tokens.append(_token(text, match))
        at = match.end()
    return [*tokens, Token("end", "", len(text))]


def refusal(text: str, at: int, what: str) -> ConfigError:
    """Return the error for a place in an expression."""
    return ConfigError(f"expression {text!r}, character {at + 1}: {what}")


def _token(text: str, match: re.Match[str]) -> Token:
    kind, value, at = match.lastgroup, match.group(), match.start()
    if kind == "number":
        return Token("number", value, at)
    if kind == "text":
        return Token("text", value[1:-1].replace("''", "'"), at)
    if kind == "quoted":
        return Token("quoted", value[1:-1].replace('""', '"'), at)
    if kind == "word":
        return Token("word", value, at)
    if value in ("--", "/*"):
        raise refusal(
            text, at, f"{value!r} begins a comment, and comments are not allowed (write '- -x' for a double minus)"
        )
    return Token("symbol", value, at)
