"""One of several processes that let revision after revision take the place of one object; or one frozen in doing so.

``FOLDER LAST PLAN`` tries revisions 2 to LAST in turn; prints each it made or found made.
"""

import sys
from contextlib import suppress

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ObjectMissing
from arrowflow.failpoints import Failpoints
from arrowflow.stores.local import LocalStore


def revision(number):
    return f"revision {number} ".encode() * 5000


def revise(store, base, number):
    was, becomes = crc32c(revision(number - 1)), crc32c(revision(number))
    store.replace_once(f"{base}/control/staged/{number}/a", f"{base}/table/a", was=was, becomes=becomes)


def stage(base, last):
    LocalStore().create(f"{base}/table/a", revision(1))
    for number in range(2, last + 1):
        LocalStore().create(f"{base}/control/staged/{number}/a", revision(number))


if __name__ == "__main__":
    base, last, plan = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    store = LocalStore(Failpoints.parse(plan))
    for number in range(2, last + 1):
        with suppress(AlreadyExists, ObjectMissing):
            revise(store, base, number)
            print(number, flush=True)
