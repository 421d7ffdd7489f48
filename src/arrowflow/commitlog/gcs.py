"""The log in a bucket of Google Cloud Storage: names the store the generic log is put on, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass, field

from arrowflow.commitlog.log import RedoLog
from arrowflow.errors import ConfigError
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Control
from arrowflow.stores.gcs.address import client_missing, parse
from arrowflow.stores.gcs.patience import Patience
from arrowflow.stores.traced import traced


@dataclass(frozen=True, slots=True)
class GcsLogSpec:
    """Records, staging and state below `path`, such as ``gs://bucket/_arrowflow/job``, the control prefix of one job.

    `patience` says how long each request is made again while what is wrong may pass.
    """

    path: str
    patience: Patience = field(default_factory=Patience)

    def build(self, failpoints: Failpoints) -> tuple[RedoLog, Control]:
        """Sign in; creates nothing.

        Raises
        ------
        ConfigError
            For an address that is none, without the client library, without credentials.
        """
        address = parse(self.path)
        if (missing := client_missing()) is not None:
            raise ConfigError(f"{address}: {missing}")
        from arrowflow.stores.gcs.store import GcsStore, connect

        store = traced(
            GcsStore(connect(address.bucket), address.bucket, failpoints, self.patience), str(address), failpoints
        )
        return RedoLog(store, str(address), failpoints), Control(store, str(address))
