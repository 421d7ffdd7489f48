"""Which names a column may have. What passes is safe in SQL quotes, folder names and headers."""

from __future__ import annotations

import re

from arrowflow.types import RESERVED

DERIVED = ("date", "hour")
"""Folder levels a sink makes from a time."""

MAX_NAME = 128
_NAME = re.compile(r"[^\W\d][\w .\-]*")


def name_fault(name: str) -> str | None:
    """Say why `name` cannot be a column, or None."""
    if name in RESERVED or name.startswith("__af_"):
        return "is a name arrowflow uses itself; choose another"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters; a column name may have {MAX_NAME}"
    if not _NAME.fullmatch(name):
        return "is no column name: use letters, digits, `_`, `-`, `.` and spaces, and begin with a letter or `_`"
    return None
