"""One of several processes that create the same names in a local store; prints the names it won.

The processes meet before every name: each adds a byte to a file and waits until it is as long as all of them make it.
Without that the first one stays ahead and wins everything unopposed.
"""

import sys
import time
from pathlib import Path

from arrowflow.errors import AlreadyExists
from arrowflow.stores.local import LocalStore

worker, workers, folder, rounds = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
store = LocalStore()
with folder.with_name("gate").open("ab", buffering=0) as gate:
    for i in range(rounds):
        gate.write(b".")
        while folder.with_name("gate").stat().st_size < workers * (i + 1):
            time.sleep(0.0002)
        try:
            store.create(f"{folder}/{i:04d}", worker.encode())
            print(f"{folder}/{i:04d}")
        except AlreadyExists:
            pass
