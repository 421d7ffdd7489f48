"""The right result of `configs/turbines.toml` over the turbine table; never computed by the engine.

The day of a row is read off its own text, which is local time; only the ends of a day in UTC need the rule of
European summer time, and that is written out here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from arrowflow.samples.answers.figures import iso

TOLERANCE = timedelta(hours=1)


@dataclass
class _Day:
    """The times of all rows of one turbine and day, and the values that are not null."""

    wind: list[float] = field(default_factory=list)
    power: list[float] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)


def read_time(text: str) -> datetime:
    """ISO text with an offset as UTC."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"{text!r}: no offset")
    return when.astimezone(UTC)


def midnight(day: date) -> datetime:
    """When `day` begins in Paris; the clock changes at 02:00 or 03:00 of a Sunday, so never at midnight."""
    summer = _last_sunday(day.year, 3) < day <= _last_sunday(day.year, 10)
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=2 if summer else 1)


def turbines(rows: Iterable[Mapping[str, str]]) -> dict[str, object]:
    """Return the answer sheet over rows of text in file order; each turbine is a partition of its own."""
    days: dict[tuple[str, date], _Day] = {}
    largest: dict[str, datetime] = {}
    late: list[dict[str, object]] = []
    offsets: dict[str, int] = {}
    for row in rows:
        name, when = row["Wind_turbine_name"], read_time(row["Date_time"])
        offset = offsets[name] = offsets.get(name, -1) + 1
        day = date.fromisoformat(row["Date_time"][:10])
        clock = largest.get(name, when) - TOLERANCE
        largest[name] = max(largest.get(name, when), when)
        if midnight(day + timedelta(days=1)) <= clock:
            late.append({"turbine": name, "offset": offset})
        else:
            _fold(days.setdefault((name, day), _Day()), row, when)
    folded = sum(len(each.times) for each in days.values())
    return {
        "read": folded + len(late),
        "folded": folded,
        "duplicate": 0,
        "filtered": {},
        "late_count": len(late),
        "dead_letter_count": {},
        "windows": [_window(name, day, days[name, day]) for name, day in sorted(days)],
        "late": late,
        "dead_letters": [],
    }


def _fold(day: _Day, row: Mapping[str, str], when: datetime) -> None:
    day.times.append(when)
    if row["Ws_avg"]:
        day.wind.append(float(row["Ws_avg"]))
    if row["P_avg"]:
        day.power.append(float(row["P_avg"]))


def _window(name: str, day: date, values: _Day) -> dict[str, object]:
    """One result row; the sum of ten-minute means in kW is six times the energy in kWh."""
    wind, power = values.wind, values.power
    return {
        "Wind_turbine_name": name,
        "production_day": day.isoformat(),
        "window_start": iso(midnight(day)),
        "window_end": iso(midnight(day + timedelta(days=1))),
        "rows": len(values.times),
        "lecturas": len(power),
        "viento_medio": float(sum(map(Fraction, wind), Fraction(0)) / len(wind)) if wind else None,
        "potencia_suma": math.fsum(power) if power else None,
        "potencia_maxima": max(power, default=None),
        "ultima_lectura": iso(max(values.times)),
    }


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)
