"""The right results of `configs/scada.toml` and `configs/scada_avro.toml`; never computed by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from arrowflow.samples.answers import avro_reading, civil, figures
from arrowflow.samples.answers.judge import Placed, Rules, Span, judge
from arrowflow.samples.answers.reading import Row
from arrowflow.samples.answers.sheet import sheet

MINUTE_US = 60_000_000
SIZE_US = 30 * MINUTE_US


def half_hour(_row: Row, when: datetime) -> tuple[Span]:
    """The half hour of UTC in which `when` falls."""
    us = civil.microseconds(when)
    start = us - us % SIZE_US
    return (Span(civil.instant(start), civil.instant(start + SIZE_US)),)


RULES = Rules(
    columns={
        "sensor_id": "string",
        "planta": "string",
        "timestamp": "timestamp[ms]",
        "value": "float64",
        "unit": "string",
    },
    event_time="timestamp",
    tolerance_us=5 * MINUTE_US,
    future_skew_us=5 * MINUTE_US,
    filters={},
    group_by=("planta", "sensor_id"),
    windows=half_hour,
)


def scada(records: Iterable[tuple[str, int, int, bytes | None, bytes | None]]) -> dict[str, object]:
    """Return the answer sheet."""
    return sheet(judge(records, RULES), RULES, _figures)


def scada_avro(records: Iterable[tuple[str, int, int, bytes | None, bytes | None]]) -> dict[str, object]:
    """Return the answer sheet of the same readings as Avro."""
    rules = replace(RULES, read=avro_reading.read)
    return sheet(judge(records, rules), rules, _figures)


def _figures(rows: Sequence[Placed]) -> dict[str, object]:
    return {
        "lecturas": figures.count(rows, "value"),
        "media": figures.mean(rows, "value"),
        "minimo": figures.smallest(rows, "value"),
        "maximo": figures.largest(rows, "value"),
        "primera": figures.first(rows, "value"),
        "ultima": figures.last(rows, "value"),
    }
