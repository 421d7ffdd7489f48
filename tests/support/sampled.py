"""The configurations that there are answers for, over their samples; and every way in which a lake differs from its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tests.support.dealt import DealtSpec

from arrowflow.config import load
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import Pipeline
from arrowflow.protocols import SampleRecord
from arrowflow.testing.answers import wrong_dead_letters, wrong_late_rows, wrong_rows
from arrowflow.types import Balance

FOLDER = Path(__file__).parents[2] / "configs"
SCHEMAS = {"ARROWFLOW_SCHEMAS": str(FOLDER / "schemas")}
"""Where the writers' schemas of Avro are: a configuration counts its own path from the checkout."""
OF_THE_ENGINE = {"__af_closed_by", "__af_epoch", "__af_kind", "__af_revision"}
"""Columns of a result that say how it came about, not what it is: they may hang on the cutting."""


def dealt(
    config: str, lake: Path, records: tuple[SampleRecord, ...], seed: int, *, epoch_rows: int, largest_slice: int = 200
) -> Pipeline:
    """The pipeline of a configuration as it is, over dealt records, in epochs of at most `epoch_rows` or so."""
    env = {"ARROWFLOW_LAKE": str(lake), "ARROWFLOW_BROKERS": "127.0.0.1:1", **SCHEMAS}
    pipeline = load(FOLDER / f"{config}.toml", env)
    source = replace(pipeline.source, spec=DealtSpec(records, seed, largest_slice))
    checkpoint = replace(pipeline.checkpoint, max_epoch_rows=epoch_rows, full_every=1 + seed % 5)
    return replace(pipeline, source=source, checkpoint=checkpoint)


def differences(pipeline: Pipeline, sheet: Mapping[str, Any]) -> list[str]:
    """One sentence for each row, column, late row, dead letter and count that is not the answer's."""
    roots = {node.stream: Path(node.spec.root) for node in pipeline.sinks}
    return [
        *wrong_rows(sheet, roots["rows"]),
        *wrong_late_rows(sheet, roots["late"]),
        *wrong_dead_letters(sheet, roots["dead"]),
        *_foreign_columns(sheet, roots["rows"]),
        *_wrong_balance(sheet, recorded(pipeline)),
    ]


def files(pipeline: Pipeline) -> dict[str, bytes]:
    """Every file of every output with its bytes."""
    roots = [Path(node.spec.root) for node in pipeline.sinks]
    return {str(path): path.read_bytes() for root in roots for path in root.rglob("*.parquet")}


def recorded(pipeline: Pipeline) -> Balance:
    """The balance of all records together: what the log says, whichever runs wrote it."""
    log = pipeline.checkpoint.log.build(Failpoints())[0]
    return reduce(add, (log.read(epoch).balance for epoch in log.epochs_after(-1)), Balance())


def _foreign_columns(sheet: Mapping[str, Any], root: Path) -> list[str]:
    wanted = set(sheet["windows"][0]) - {"rows"} | OF_THE_ENGINE
    found = set()
    for path in root.rglob("*.parquet"):
        folders = {part.partition("=")[0] for part in path.relative_to(root).parts[:-1]}
        found |= set(pq.read_schema(path).names) | folders - {"date"}
    return [f"no column of the answer: {name}" for name in sorted(found - wanted)]


def _wrong_balance(sheet: Mapping[str, Any], balance: Balance) -> list[str]:
    """Compare count by count; a filter is counted under its reason here and under its text in the sheet."""
    pairs = {
        "read": (sheet["read"], balance.read),
        "folded": (sheet["folded"], balance.folded),
        "duplicate": (sheet["duplicate"], balance.duplicate),
        "filtered": (_by_kind(sheet["filtered"]), _by_kind(balance.filtered)),
        "late": (sheet["late_count"], balance.late.get("behind_clock", 0)),
        "late for any reason": (sheet["late_count"], sum(balance.late.values())),
        "dead letters": (sheet["dead_letter_count"], dict(balance.dead_lettered)),
    }
    return [f"{name}: wanted {wanted}, found {found}" for name, (wanted, found) in pairs.items() if wanted != found]


def _by_kind(filtered: Mapping[str, int]) -> tuple[int, int]:
    tombstones = filtered.get("tombstone", 0)
    return tombstones, sum(filtered.values()) - tombstones
