"""The log in a folder of this machine: names the store the generic log is put on, and nothing more."""

from __future__ import annotations

import os
from dataclasses import dataclass

from arrowflow.commitlog.log import RedoLog
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Control
from arrowflow.stores.local import LocalStore
from arrowflow.stores.traced import traced


@dataclass(frozen=True, slots=True)
class LocalLogSpec:
    """Records, staging and state in the folder `path`, the control prefix of one job; may be relative."""

    path: str

    def build(self, failpoints: Failpoints) -> tuple[RedoLog, Control]:
        """Open the store; creates nothing."""
        prefix = os.path.abspath(self.path)  # noqa: PTH100 - symlinks stay
        store = traced(LocalStore(failpoints), prefix, failpoints)
        return RedoLog(store, prefix, failpoints), Control(store, prefix)
