"""Which log a path means: a folder of this machine, or a bucket."""

from __future__ import annotations

from arrowflow.commitlog.gcs import GcsLogSpec
from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.stores.gcs.address import is_address


def log_at(path: str) -> LocalLogSpec | GcsLogSpec:
    """Return the log whose control prefix is `path`."""
    return GcsLogSpec(path) if is_address(path) else LocalLogSpec(path)
