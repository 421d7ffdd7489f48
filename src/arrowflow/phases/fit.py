"""What a sink must be able to take from what a pipeline gives out; refused before anything is read."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.pipeline import Pipeline, SinkNode
from arrowflow.protocols import Change, OperatorSpec
from arrowflow.windows.shapes import Session, Sliding
from arrowflow.windows.spec import WindowSpec

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
        if node.stream == "open" and "insert" in node.spec.takes:
            raise ConfigError(
                f'sink {node.name!r} takes results and interim results together, from the stream "rows": the last record of a '
                "window is its result"
            )
        if pipeline.operator.late == "correct" and node.stream == "rows":
            _refuse_corrections(node, pipeline.operator.spec.identity, results)
        if takes_interim(node) and node.stream == "rows":
            _refuse_updates(node, pipeline.operator.spec)
    if pipeline.emit.gives_interim != any(map(takes_interim, pipeline.sinks)):
        raise ConfigError(
            'interim results and a sink for them belong together: `emit` says when, a sink of the stream "open" (a '
            'preview) or a topic in the mode "update" says where; a table of results takes each window when it closes and '
            "never before"
        )


def takes_interim(node: SinkNode) -> bool:
    """Whether a sink is given what open windows would give now, by itself or along with results."""
    return node.stream in ("open", "rows") and "interim" in node.spec.takes


def _refuse_updates(node: SinkNode, spec: OperatorSpec) -> None:
    """An update is a record of the same key: the key must name the window, and its name must not change while it is open."""
    if isinstance(spec, WindowSpec) and isinstance(spec.window, Session | Sliding):
        raise ConfigError(
            f'sink {node.name!r}: mode "update" needs windows whose bounds stay as they are; sessions grow and merge, and sliding '
            "windows come and go with their rows: show those in a preview"
        )
    if node.spec.placed_by(pa.schema([])) != set(spec.identity):
        raise ConfigError(
            f'sink {node.name!r}: in mode "update" the newest record of a key counts, so the key must be what names a window: '
            f"key = {list(spec.identity)}"
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
