"""What a sink must be able to take from what a pipeline gives out; refused before anything is read."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.pipeline import Pipeline, SinkNode
from arrowflow.protocols import Change

KINDS: Mapping[str, Change] = {"rows": "insert", "late": "insert", "dead": "insert", "open": "interim"}
"""The kind of change that every stream brings; "rows" brings "replace" too under the late policy "correct"."""


def refuse_misfits(pipeline: Pipeline, results: pa.Schema) -> None:
    """Raise `ConfigError` if a sink does not take the changes of its stream, or a change would move a row.

    Parameters
    ----------
    pipeline : Pipeline
        Whose sinks are asked.
    results : Schema
        The columns of its result rows.
    """
    for node in pipeline.sinks:
        if KINDS[node.stream] not in node.spec.takes:
            raise ConfigError(_not_taken(node))
        if pipeline.operator.late == "correct" and node.stream == "rows":
            _refuse_corrections(node, pipeline.operator.spec.identity, results)
    if pipeline.emit.gives_interim != any(node.stream == "open" for node in pipeline.sinks):
        raise ConfigError(
            'interim results and a sink for them belong together: `emit` says when, a sink of the stream "open" (a '
            "preview) says where; a table of results takes each window when it closes and never before"
        )


def _not_taken(node: SinkNode) -> str:
    if node.stream == "open":
        return (
            f"sink {node.name!r} keeps every row it is given, and interim results change with each record: send them to a "
            'preview, which is one file that always holds the windows open now: kind = "preview"'
        )
    return f'sink {node.name!r} shows the windows open now and keeps nothing; it takes the stream "open" only'


def _refuse_corrections(node: SinkNode, identity: tuple[str, ...], results: pa.Schema) -> None:
    if "replace" not in node.spec.takes:
        raise ConfigError(
            f'sink {node.name!r} takes no later revision of a row, which late = "correct" gives; a topic does with a key, '
            f"which keeps the revisions of a row in order: key = {list(identity)}"
        )
    if not identity:
        raise ConfigError('late = "correct" needs windows: rows that pass through have no later revision')
    moving = sorted(node.spec.placed_by(results) - set(identity))
    if moving:
        raise ConfigError(
            f"sink {node.name!r}: partition_by or key uses {moving}, which a correction may change, and the row would have to "
            f'move to another file or partition: under late = "correct" use what names a window, which is {list(identity)}'
        )
