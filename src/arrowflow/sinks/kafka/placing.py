"""Which partition a record goes to: a function of its key alone, the one Java's producer uses. Pure."""

from __future__ import annotations

_SEED, _M, _MASK = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit murmur2 hash of Kafka's Java client, unsigned."""
    h = _SEED ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes | None, seq: int, partitions: int, *, keyed: bool) -> int:
    """Return the partition of a record.

    Parameters
    ----------
    key : bytes or None
        Its key; in a keyed topic no key goes where the empty one does, so that its revisions stay in order.
    seq : int
        Its place in the outbox; without keys records take turns by it.
    partitions : int
        How many the topic has.
    keyed : bool
        Whether the sink has key columns.
    """
    if not keyed:
        return seq % partitions
    return (murmur2(key or b"") & 0x7FFFFFFF) % partitions
