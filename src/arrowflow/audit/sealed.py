"""Bytes of a record and of ``job.json``: JSON that ends with the sha256 of all before it. Reads one at a time."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_OPEN, _CLOSE = b',"sha256":"', b'"}'
_TAIL = len(_OPEN) + 64 + len(_CLOSE)


class BrokenError(Exception):
    """The bytes are not what was written."""


def unseal(data: bytes) -> dict[str, Any]:
    """Return the content of a sealed file whose digest is right.

    Raises
    ------
    BrokenError
        With what is wrong.
    """
    body, tail = data[:-_TAIL], data[-_TAIL:]
    digest = hashlib.sha256(body).hexdigest()
    if tail != _OPEN + digest.encode() + _CLOSE:
        raise BrokenError(f"its {len(data)} bytes do not match the sha256 they end with")
    try:
        content = json.loads(data)
    except ValueError as error:
        raise BrokenError(f"the digest is right and the bytes are no JSON: {error}") from error
    if not isinstance(content, dict) or content.get("sha256") != digest:
        raise BrokenError("the digest is right and the content is no record")
    return content
