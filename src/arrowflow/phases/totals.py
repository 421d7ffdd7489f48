"""What a run has done so far, summed over its records. Reads none."""

from __future__ import annotations

from dataclasses import dataclass, field

from arrowflow.phases.fit import takes_interim
from arrowflow.pipeline import Pipeline
from arrowflow.types import Balance, Manifest


@dataclass(slots=True)
class Totals:
    """Sums over the epochs of one run."""

    epochs: int = 0
    balance: Balance = field(default_factory=Balance)
    rows_out: int = 0
    files: int = 0

    def add(self, pipeline: Pipeline, manifest: Manifest) -> None:
        """Count one committed epoch."""
        results = {node.name for node in pipeline.sinks if node.stream == "rows" and not takes_interim(node)}
        self.epochs += 1
        self.balance += manifest.balance
        self.files += len(manifest.outputs)
        self.rows_out += sum(file.new_rows for file in manifest.outputs if file.sink in results)
        self.rows_out += sum(outbox.rows for outbox in manifest.outbox if outbox.sink in results)
