"""One of several processes that create the same names in a store; prints the names it won.

The processes meet before every name: each adds a byte to a file and waits until it is as long as all of them make it.
Without that the first one stays ahead and wins everything unopposed.
"""

import sys
import time
from pathlib import Path

from arrowflow.commitlog.places import log_at
from arrowflow.errors import AlreadyExists
from arrowflow.failpoints import Failpoints

worker, workers, folder, rounds, meeting = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
store = log_at(folder).build(Failpoints())[1].store
with Path(meeting).open("ab", buffering=0) as gate:
    for i in range(rounds):
        gate.write(b".")
        while Path(meeting).stat().st_size < workers * (i + 1):
            time.sleep(0.0002)
        try:
            store.create(f"{folder}/{i:04d}", worker.encode())
            print(f"{folder}/{i:04d}")
        except AlreadyExists:
            pass
