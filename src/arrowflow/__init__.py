"""Kafka records to Arrow micro-batches to closed windows, each epoch committed as one record.

The flow, and where it is written: ``source -> decode -> transform -> window -> sink -> commit`` is `arrowflow.engine.step`;
its words are the files of `arrowflow.phases`; what they pass along is `arrowflow.types`; what they ask of the outside is
`arrowflow.protocols`. Names below load on first use, so that importing arrowflow costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arrowflow.config import load
    from arrowflow.engine import start
    from arrowflow.phases.run import Run
    from arrowflow.pipeline import Pipeline, RunOptions

__all__ = ["Pipeline", "Run", "RunOptions", "load", "start"]

_HOMES = {
    "Pipeline": "arrowflow.pipeline",
    "Run": "arrowflow.phases.run",
    "RunOptions": "arrowflow.pipeline",
    "load": "arrowflow.config",
    "start": "arrowflow.engine",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'arrowflow' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
