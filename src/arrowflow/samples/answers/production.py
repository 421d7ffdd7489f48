"""The right result of `configs/gold.toml` over the production sample; never computed by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from arrowflow.samples.answers import civil, figures
from arrowflow.samples.answers.judge import Placed, Rules, Span, judge
from arrowflow.samples.answers.reading import Row
from arrowflow.samples.answers.sheet import sheet

MINUTE_US = 60_000_000
FILTER = "unidades_producidas >= 0"


def shift_of(row: Row, when: datetime) -> tuple[Span] | None:
    """The shift of the row's plant with its two result columns."""
    plant = row["planta"]
    found = civil.shift(plant if isinstance(plant, str) else None, when)
    if found is None:
        return None
    columns = (("shift", found.name), ("production_day", found.production_day.isoformat()))
    return (Span(found.start, found.end, columns),)


def _not_negative(row: Row) -> bool:
    units = row["unidades_producidas"]
    return isinstance(units, int) and units >= 0


RULES = Rules(
    columns={
        "planta": "string",
        "linea": "string",
        "timestamp": "timestamp[ms]",
        "unidades_producidas": "int64",
        "tasa_produccion": "float64",
    },
    event_time="timestamp",
    tolerance_us=30 * MINUTE_US,
    future_skew_us=5 * MINUTE_US,
    filters={FILTER: _not_negative},
    group_by=("planta", "linea"),
    windows=shift_of,
)


def production(records: Iterable[tuple[str, int, int, bytes | None, bytes | None]]) -> dict[str, object]:
    """Return the answer sheet; records sent twice count twice, since `configs/gold.toml` has no dedup."""
    return sheet(judge(records, RULES), RULES, _figures)


def _figures(rows: Sequence[Placed]) -> dict[str, object]:
    return {
        "total_unidades": figures.whole_sum(rows, "unidades_producidas"),
        "tasa_promedio": figures.mean(rows, "tasa_produccion"),
        "ultimo_evento": figures.latest_event(rows),
    }
