"""The right result of `configs/order_sessions.toml` over the order events sample; never computed by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from arrowflow.samples.answers import figures
from arrowflow.samples.answers.judge import Placed, Rules, Sessions, judge
from arrowflow.samples.answers.sheet import sheet

MINUTE_US = 60_000_000

RULES = Rules(
    columns={
        "orden": "string",
        "planta": "string",
        "timestamp": "timestamp[ms]",
        "estacion": "string",
        "piezas": "int64",
        "energia_kwh": "float64",
    },
    event_time="timestamp",
    tolerance_us=15 * MINUTE_US,
    future_skew_us=5 * MINUTE_US,
    filters={},
    group_by=("planta", "orden"),
    windows=Sessions(10 * MINUTE_US),
)


def order_sessions(records: Iterable[tuple[str, int, int, bytes | None, bytes | None]]) -> dict[str, object]:
    """Return the answer sheet."""
    return sheet(judge(records, RULES), RULES, _figures)


def _figures(rows: Sequence[Placed]) -> dict[str, object]:
    return {
        "eventos": len(rows),
        "piezas_total": figures.whole_sum(rows, "piezas"),
        "energia_total": figures.float_sum(rows, "energia_kwh"),
        "primera_estacion": figures.first(rows, "estacion"),
        "ultima_estacion": figures.last(rows, "estacion"),
    }
