"""A day at a cadence of ten seconds, its clock simulated: what a start costs, and what an epoch, after 1,500 and 8,640 epochs.

As a command: ``python -m tests.chaos.day [--epochs 8640] [--early 1500] [--keep 1000]``. Calls of the store and names it
listed are counted, so the figures do not depend on the machine; the seconds beside them do. Records lie in folders of a
thousand and a start looks into the newest, so the names listed go up and down between one and a thousand.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter

from tests.support.cadence import Beat


def costs_of_a_start(job: Beat, epochs: int) -> dict[str, int]:
    """Bring the job to `epochs` records or so, start it once more with nothing to read, and count what that asks of the store."""
    missing = epochs - (max(job.epochs) + 1 if job.epochs else 0)
    if missing > 2:
        job.run(missing - 2)
    store = job.log.store
    before = len(store.history)
    listed = store.names_listed
    job.run(0)
    calls = Counter(call.verb for call in store.history[before:])
    return {**calls, "names listed": store.names_listed - listed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8640)
    parser.add_argument("--early", type=int, default=1500)
    parser.add_argument("--keep", type=int, default=1000)
    asked = parser.parse_args()
    job, told = Beat(keep_records=asked.keep, full_every=20), {}
    for epochs in (asked.early, asked.epochs):
        began = time.process_time()
        costs = costs_of_a_start(job, epochs)
        began, spent = time.process_time(), time.process_time() - began
        job.run(0)
        told[epochs] = {
            "start": costs,
            "start_cpu_ms": round(1000 * (time.process_time() - began)),
            "epochs_cpu_s": round(spent, 1),
            "records": len(job.epochs),
            "objects": len(job.objects),
            "violations": len(job.audit().findings),
        }
    print(json.dumps(told, indent=1))
    early, late = (told[epochs]["start"] for epochs in (asked.early, asked.epochs))
    same = early["list"] == late["list"] and late["names listed"] <= 1000 + 3 * job.full_every
    near = abs(early["read"] - late["read"]) <= job.full_every + 1
    return 0 if same and near and job.windows() == job.wanted_windows() else 1


if __name__ == "__main__":
    sys.exit(main())
