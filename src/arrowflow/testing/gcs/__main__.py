"""``python -m arrowflow.testing.gcs BUCKET...``: the strict fake as a process; ends with its standard input or a Ctrl-C."""

from __future__ import annotations

import sys
from contextlib import suppress

from arrowflow.testing.gcs import FakeGcs


def main() -> None:
    """Serve the buckets named, and print where."""
    with FakeGcs(*sys.argv[1:]) as fake:
        print(f"STORAGE_EMULATOR_HOST={fake.address}", flush=True)  # noqa: T201 - the one line it has to say
        with suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()
