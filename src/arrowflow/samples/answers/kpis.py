"""The right result of `configs/kpis.toml` over the orders sample; never computed by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from arrowflow.samples.answers import civil, figures
from arrowflow.samples.answers.judge import Placed, Rules, Span, judge
from arrowflow.samples.answers.reading import Row
from arrowflow.samples.answers.sheet import sheet

MINUTE_US = 60_000_000


def day_of(row: Row, when: datetime) -> tuple[Span] | None:
    """The production day of the row's plant, 06:00 to 06:00."""
    plant = row["planta"]
    found = civil.production_day(plant if isinstance(plant, str) else None, when)
    if found is None:
        return None
    return (Span(found.start, found.end, (("production_day", found.production_day.isoformat()),)),)


RULES = Rules(
    columns={
        "order_id": "string",
        "planta": "string",
        "timestamp": "timestamp[iso]",
        "estado": "string",
        "cantidad": "int64",
        "costo": "decimal(18, 2)",
    },
    event_time="timestamp",
    tolerance_us=60 * MINUTE_US,
    future_skew_us=5 * MINUTE_US,
    filters={},
    group_by=("planta", "estado"),
    windows=day_of,
)


def kpis(records: Iterable[tuple[str, int, int, bytes | None, bytes | None]]) -> dict[str, object]:
    """Return the answer sheet; every change event counts, so an order that changes twice a day counts twice."""
    return sheet(judge(records, RULES), RULES, _figures)


def _figures(rows: Sequence[Placed]) -> dict[str, object]:
    return {
        "cambios": figures.count(rows, "order_id"),
        "cantidad_total": figures.whole_sum(rows, "cantidad"),
        "costo_total": figures.decimal_sum(rows, "costo", places=2),
        "ultimo_cambio": figures.latest_event(rows),
    }
