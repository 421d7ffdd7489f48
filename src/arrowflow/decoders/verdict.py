"""Why a record is refused: the closed list of reason codes; nothing here decides anything."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

Value = str | int | float | bool | Decimal | None
"""What a column may hold: instants as microseconds, dates as days, both since 1970-01-01."""

REASONS: Final = (
    "too_large",
    "empty",
    "confluent_framing",
    "utf8",
    "syntax",
    "too_deep",
    "surrogate",
    "trailing_data",
    "not_object",
    "required",
    "type",
    "overflow",
    "scale",
    "date",
    "timestamp",
    "timestamp_range",
    "timestamp_nonexistent",
)
"""Every code a decoder gives to a dead letter; docs/json-dialect.md says what each means."""

SNIPPET_CHARS: Final = 40


class Refused(Exception):
    """One record is a dead letter. Raised and caught inside this room only."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def too_large(size: int, max_bytes: int) -> Refused:
    """The refusal of a value that is not even looked at."""
    return Refused("too_large", f"the value has {size} bytes, allowed are {max_bytes}; raise max_bytes to allow it")


def snippet(value: str | bytes) -> str:
    r"""Return the first 40 characters or bytes of a value in quotes, everything unprintable or non-ASCII escaped.

    >>> snippet(b'{"a":\x00')
    "'{\"a\":\\x00'"
    """
    cut = value[:SNIPPET_CHARS]
    try:
        text = ascii(cut.decode() if isinstance(cut, bytes) else cut)
    except UnicodeDecodeError:
        text = repr(cut)[1:]
    return text if len(value) <= SNIPPET_CHARS else text + "..."
