"""Which librdkafka settings a pipeline may pass through, and why the others are refused; connects to nothing."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from arrowflow.connection import CONNECTION, OURS, SECRET, masked
from arrowflow.connection import REFUSED as REFUSED_EVERYWHERE

__all__ = ["ALLOWED", "CONNECTION", "CONSUMER", "REFUSED", "SECRET", "masked", "problems"]

CONSUMER = frozenset(
    {
        "client.rack",
        "fetch.error.backoff.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.queue.backoff.ms",
        "fetch.wait.max.ms",
        "max.partition.fetch.bytes",
        "queued.max.messages.kbytes",
        "queued.min.messages",
    }
)
"""Settings of fetching: an administrator's client would only warn about them."""

ALLOWED = CONNECTION | CONSUMER
REFUSED: Mapping[str, str] = {
    **REFUSED_EVERYWHERE,
    "allow.auto.create.topics": OURS,
    "auto.commit.interval.ms": OURS,
    "auto.offset.reset": OURS,
    "check.crcs": OURS,
    "enable.auto.commit": OURS,
    "enable.auto.offset.store": OURS,
    "enable.partition.eof": OURS,
    "group.id": 'write it as group = "name"',
    "group.instance.id": "no consumer joins a group",
    "isolation.level": OURS,
}
"""Settings people do ask for, each with the reason it is not passed on."""


def problems(properties: Mapping[str, str]) -> dict[str, str]:
    """Return a sentence per refused key, for messages that show all errors at once; values are never in it."""
    return {key: _problem(key) for key in properties if key not in ALLOWED}


def _problem(key: str) -> str:
    if key in REFUSED:
        return f"{key!r} cannot be set: {REFUSED[key]}"
    near = difflib.get_close_matches(key.lower().replace("_", "."), ALLOWED | REFUSED.keys(), 1, 0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "; docs/kafka.md lists the settings that may be passed"
    return f"{key!r} is not a setting arrowflow passes to librdkafka{hint}"
