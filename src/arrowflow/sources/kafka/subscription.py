"""What a running client needs to know of its description: plain values, checked before they come here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Start = Literal["earliest", "latest", "committed"] | int


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which topics to read, where they are and where the very first start begins.

    Parameters
    ----------
    brokers : str
        Bootstrap addresses.
    topics : tuple of str
        Topics, all their partitions.
    start : "earliest", "latest", "committed" or int
        An int is a time in milliseconds since Unix time zero.
    group : str
        Consumer group of lag tools.
    properties : mapping of str to str
        Settings of librdkafka that passed the allow-list.
    headers : bool
        Whether batches hold the records' headers.
    """

    brokers: str
    topics: tuple[str, ...]
    start: Start
    group: str
    properties: Mapping[str, str]
    headers: bool = False
