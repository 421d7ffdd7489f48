"""A digest of window boundaries, so that a record can tell whether a zone database moved one."""

from __future__ import annotations

import hashlib

import numpy as np

from arrowflow.protocols import Calendar


def boundary_digest(calendar: Calendar, key: str | None, from_us: int, to_us: int) -> str:
    """Return the SHA-256 (hex) of the windows that touch ``[from_us, to_us)``: starts, end, labels, days and windows.

    Equal for equal boundaries, whatever rules or database version they came from. A key without a calendar has
    a digest of its own.
    """
    table = calendar.table(key, from_us, to_us)
    if table is None:
        return hashlib.sha256(b"no calendar").hexdigest()
    names = "\0".join(calendar.labels[index] for index in table.label)
    digest = hashlib.sha256(np.asarray(table.start_us, "<i8").tobytes())
    digest.update(np.asarray(table.production_day, "<i4").tobytes())
    for bound in table.windows():
        digest.update(np.asarray(bound, "<i8").tobytes())
    digest.update(names.encode())
    return digest.hexdigest()
