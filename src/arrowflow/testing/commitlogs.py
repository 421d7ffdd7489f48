"""The real log over a store in memory; a restart is a second build of the same spec."""

from __future__ import annotations

from dataclasses import dataclass, field

from arrowflow.commitlog.log import RedoLog
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Control
from arrowflow.stores.traced import traced
from arrowflow.testing.stores import MemoryStore


@dataclass(frozen=True, slots=True)
class MemoryLogSpec:
    """The `LogSpec` protocol in memory.

    Parameters
    ----------
    store : MemoryStore
        Everything the job keeps; specs that share it share the job, and it outlives each run.
    prefix : str
        The control prefix in it.
    """

    store: MemoryStore = field(default_factory=MemoryStore)
    prefix: str = "/memory/_arrowflow/job"

    def build(self, failpoints: Failpoints) -> tuple[RedoLog, Control]:
        """Open the store for a run with these failpoints; creates nothing."""
        store = traced(self.store.armed(failpoints), self.prefix, failpoints)
        return RedoLog(store, self.prefix, failpoints), Control(store, self.prefix)
