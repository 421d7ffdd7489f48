"""The checksum that records hold of a file's bytes: CRC-32C, which object stores keep beside each object too."""

from __future__ import annotations

import google_crc32c


def crc32c(data: bytes) -> str:
    """Return the CRC-32C of `data` as eight lower-case hex digits."""
    return f"{google_crc32c.value(data):08x}"
