"""Which tests stay together when they are dealt to the processes of ``pytest -n``, and which go first.

A file stays whole, so that its fixtures are made once. All files of the real Kafka stay together, so that there is one
broker, as when all tests run in one process. They go out first and files with slow tests next: the many small ones that
are left fill up whatever process is free at the end.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

KAFKA = "test_kafka"
"""How the names of files begin whose tests may ask for the real broker."""


def share_of(nodeid: str) -> str:
    """Name the share a test belongs to: its file, or the one for all files of the broker."""
    file = nodeid.split("::", 1)[0]
    return KAFKA if PurePosixPath(file).name.startswith(KAFKA) else file


def long_files_first(items: list[pytest.Item]) -> None:
    """Order the tests in place: the broker's files, then others by their number of slow tests; within a file as is.

    Raises
    ------
    UsageError
        For a test of the broker in a file whose name does not say so: two processes would start a broker each. For a
        test with an address in its name: processes would not agree on what there is to run.
    """
    weight: dict[str, int] = {}
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid} is called otherwise in each process; give its parameters `ids`")
        if item.get_closest_marker("kafka") and share_of(item.nodeid) != KAFKA:
            raise pytest.UsageError(f"{item.nodeid} needs Kafka; name its file {KAFKA}_….py (tests/support/order.py)")
        share = share_of(item.nodeid)
        slow = item.get_closest_marker("slow") is not None
        weight[share] = weight.get(share, 0) + (1_000_000 if share == KAFKA else int(slow))
    items.sort(key=lambda item: -weight[share_of(item.nodeid)])
