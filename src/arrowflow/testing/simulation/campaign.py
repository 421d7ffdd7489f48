"""Many histories by number, in one process or several; results are small plain values that add up."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context

from arrowflow.testing.simulation.history import Verdict, simulate

BLOCK = 250
_COUNTED = (
    "writers",
    "crashes",
    "freezes",
    "faults",
    "fenced",
    "calls",
    "records",
    "rows",
    "topic_rows",
    "restarts",
    "removed",
)


@dataclass(slots=True)
class Block:
    """What became of the histories of seeds ``[start, stop)``.

    Parameters
    ----------
    wrong : list
        (seed, what is wrong) of each history that broke something.
    counts : Counter
        Writers, crashes, freezes, faults, fenced writers, calls, records, rows, rows seen in topics, restarts of their cluster and
        objects that runs removed, of all histories together.
    digest : str
        Of the digests of all histories, in order.
    """

    start: int
    stop: int
    wrong: list[tuple[int, list[str]]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    digest: str = ""

    def line(self) -> dict[str, object]:
        """The block as a line of a file of results."""
        counts = {name: self.counts[name] for name in _COUNTED}
        return {"seeds": [self.start, self.stop], "wrong": self.wrong, **counts, "digest": self.digest[:16]}


def run_block(edges: tuple[int, int], one: Callable[[int], Verdict] = simulate) -> Block:
    """Play the histories of one block."""
    block, digest = Block(*edges), hashlib.sha256()
    for seed in range(*edges):
        verdict = one(seed)
        digest.update(verdict.digest.encode())
        block.counts.update({name: getattr(verdict, name) for name in _COUNTED})
        if verdict.wrong:
            block.wrong.append((seed, list(verdict.wrong)))
    block.digest = digest.hexdigest()
    return block


def run_blocks(start: int, stop: int, processes: int = 1) -> Iterator[Block]:
    """Play the histories of seeds ``[start, stop)``; blocks come as they are done."""
    edges: Sequence[tuple[int, int]] = [(at, min(at + BLOCK, stop)) for at in range(start, stop, BLOCK)]
    if processes == 1:
        yield from map(run_block, edges)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(run_block, edges)
