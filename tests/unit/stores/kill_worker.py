"""Stage, record and publish a few objects in a local store; killed somewhere by the plan it is given."""

import hashlib
import sys
from contextlib import suppress

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ObjectMissing
from arrowflow.failpoints import Failpoints
from arrowflow.stores.local import LocalStore

OBJECTS = 3


def content(i):
    """Bytes that show whether they are whole."""
    body = f"object {i} ".encode() * 10_000
    return hashlib.sha256(body).digest() + body


def is_whole(data):
    return data[:32] == hashlib.sha256(data[32:]).digest() and len(data) > 32


def work(base, failpoints):
    """Do everything that is not done yet, as a restarted run would."""
    store = LocalStore(failpoints)
    for i in range(OBJECTS):
        source, target = f"{base}/control/staging/{i}/try/0.parquet", f"{base}/table/p={i}/{i}.parquet"
        if target not in store.list(f"{base}/table"):
            _once(lambda source=source, i=i: store.create(source, content(i)))
        _once(lambda i=i: store.create(f"{base}/control/manifests/{i}.json", content(100 + i)))
        _once(lambda source=source, target=target: store.move_once(source, target))
        _once(lambda i=i, target=target: _revise(store, base, i, target))


def _revise(store, base, i, target):
    """Let other bytes take the place of the published ones, which stay the same name."""
    source, was, becomes = f"{base}/control/staging/{i}/try2/0.parquet", content(i), content(200 + i)
    if store.read(target) == was:
        _once(lambda: store.create(source, becomes))
    store.replace_once(source, target, was=crc32c(was), becomes=crc32c(becomes))


def _once(step):
    with suppress(AlreadyExists, ObjectMissing):
        step()


if __name__ == "__main__":
    work(sys.argv[1], Failpoints.parse(sys.argv[2], sys.argv[3]))
