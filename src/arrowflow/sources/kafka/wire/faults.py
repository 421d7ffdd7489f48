"""What can be wrong with what a broker sends, beside the errors everybody knows. Raises nothing itself."""

from __future__ import annotations

from arrowflow.errors import ArrowflowError, RetryableError


class Malformed(RetryableError):
    """Bytes that no sound broker sends: a length, count or checksum that cannot be. Nothing of them was used."""


class NotUnderstood(ArrowflowError):
    """Something legal that columnar fetch does not speak; the ordinary client may. The message is the reason."""
