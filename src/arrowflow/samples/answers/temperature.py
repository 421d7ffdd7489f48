"""The right result of `configs/temperature.toml` over the SCADA sample; never computed by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from arrowflow.samples.answers import civil, figures, scada
from arrowflow.samples.answers.judge import Placed, Span, judge
from arrowflow.samples.answers.reading import Row
from arrowflow.samples.answers.sheet import sheet

MINUTE_US = 60_000_000
SIZE_US, HOP_US = 30 * MINUTE_US, 5 * MINUTE_US
FILTER = "unit = 'degC'"


def half_hours(_row: Row, when: datetime) -> list[Span]:
    """The six half hours, one every five minutes, in which `when` falls."""
    us = civil.microseconds(when)
    newest = us - us % HOP_US
    starts = range(newest - SIZE_US + HOP_US, newest + 1, HOP_US)
    return [Span(civil.instant(start), civil.instant(start + SIZE_US)) for start in starts]


RULES = replace(scada.RULES, filters={FILTER: lambda row: row["unit"] == "degC"}, windows=half_hours)


def temperature(records: Iterable[tuple[str, int, int, bytes | None, bytes | None]]) -> dict[str, object]:
    """Return the answer sheet; a row counts once as folded and stands in up to six windows."""
    return sheet(judge(records, RULES), RULES, _figures)


def _figures(rows: Sequence[Placed]) -> dict[str, object]:
    return {
        "lecturas": figures.count(rows, "value"),
        "temperatura_media": figures.mean(rows, "value"),
        "minima": figures.smallest(rows, "value"),
        "maxima": figures.largest(rows, "value"),
    }
