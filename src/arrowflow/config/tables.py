"""What lies in the tables of results, in sentences: their columns, their folders, their files of a day."""

from __future__ import annotations

import re
from collections.abc import Iterator

from arrowflow.config import build, settings
from arrowflow.config.columns import DERIVED
from arrowflow.config.durations import duration_text
from arrowflow.config.meaning import stride_us
from arrowflow.config.problem import listed
from arrowflow.config.sections import Sections
from arrowflow.config.timetable import length_us, rarely

_DAY_US = 86_400_000_000


def columns(sections: Sections) -> Iterator[str]:
    """Name the columns of a result row with their Arrow types."""
    for field in build.result_schema(sections):
        if not field.name.startswith("__af_"):
            yield f"{field.name}: {field.type}"
    yield "and columns that begin with __af_, which say how the row came about"


def window_us(sections: Sections) -> int:
    """How far apart windows of one group end, as far as that is known; a day without a window."""
    window = sections.window
    if window is None:
        return _DAY_US
    if window.type != "calendar":
        return stride_us(window)
    return length_us(window, sections.calendars[window.calendar or ""])


def files_per_day(sections: Sections) -> Iterator[str]:
    """Say how many files each table gets in a day, and what the dates of its folders are."""
    cadence = 60_000_000 if sections.checkpoint is None else sections.checkpoint.cadence
    epochs = max(1, _DAY_US // cadence)
    closings = epochs if sections.window is None else min(epochs, max(1, _DAY_US // window_us(sections)))
    names = build.result_schema(sections).names
    for name, sink in sections.sink.items():
        if build.is_preview(name, sink):
            yield f"{name}: one file, replaced again and again"
            continue
        known, factors = _folders_per_closing(sink, sections, names)
        why = f"{epochs:,} records a day" if closings == epochs else f"windows close {_times(closings)} a day"
        if sections.window is not None and sections.window.type == "calendar":
            why = rarely(sections.window, sections.calendars[sections.window.calendar or ""]) or why
        yield (
            f"{name}: at most about {closings * known:,}{''.join(f' × the number of {factor}' for factor in factors)} "
            f"({why}{f', {known} zones' if known > 1 else ''})"
        )
        if closings * known > 500:
            yield f"  many small files are slow to read: a longer cadence than {duration_text(cadence)} makes fewer"
        if derived := _derived(sink, names):
            yield f"  {listed(derived)} of a folder: of {build.time_column(sink, sections)}, {_clock(sections)}"
    for name, section in (("late", sections.late), ("dead_letter", sections.dead_letter)):
        if section is not None:
            yield f"{name}: one per record that has such rows, at most {epochs:,}"


def warnings(sections: Sections) -> Iterator[str]:
    """Say where the folders of a table may not be what their names suggest."""
    names = build.result_schema(sections).names
    texts = {} if sections.source is None else _text_columns(sections.source)
    zones = {plant.key: plant.zones for plant in sections.calendars.values()}
    for name, sink in sections.sink.items():
        if build.is_preview(name, sink):
            continue
        yield from _dates(name, sink, sections, _derived(sink, names))
        for column in sink.partition_by:
            if column in texts and any(map(_reads_as_other_type, zones.get(column, ("1",)))):
                yield (
                    f'{name}: folders hold {column} as text, and readers guess types: a value such as "007" or "1e3" comes back as a '
                    "number, unless the reader is told the type"
                )


# ---- folders ----------------------------------------------------------------------------------------------


def _derived(sink: settings.SinkSection, names: list[str]) -> list[str]:
    """The folder levels that are made from a time: those that are no columns of the result."""
    return [column for column in sink.partition_by if column in DERIVED and column not in names]


def _clock(sections: Sections) -> str:
    window = sections.window
    if window is None or window.type != "calendar":
        return "in UTC"
    return f"in the local time of {sections.calendars[window.calendar or ''].key}"


def _dates(name: str, sink: settings.SinkSection, sections: Sections, derived: list[str]) -> Iterator[str]:
    window = sections.window
    if not derived:
        return
    if window is None or window.type != "calendar":
        yield f"{name}: {listed(derived)} of its folders go by UTC, for there is no calendar"
    if window is not None and window.type == "sliding" and build.time_column(sink, sections) == "window_start":
        size = duration_text(window.size or 0)
        yield (
            f"{name}: {listed(derived)} of its folders go by window_start, {size} before the row that a result is for; "
            'with time_column = "window_end" they go by the row itself'
        )


def _folders_per_closing(sink: settings.SinkSection, sections: Sections, names: list[str]) -> tuple[int, list[str]]:
    """Return how many folders one closing fills as far as it is known, and what multiplies it."""
    window, event = sections.window, sections.event_time
    one = {*_derived(sink, names), "shift", "production_day", "off", "window_start", "window_end"}
    columns = [column for column in sink.partition_by if column not in one]
    if window is None or window.type != "calendar":
        known = 1
    else:
        calendar = sections.calendars[window.calendar or ""]
        known, columns = len(calendar.zones), [column for column in columns if column != calendar.key]
    factors = [f"different {column}" for column in columns]
    if window is not None and event is not None and event.scope == "partition" and not factors and known == 1:
        factors = ["partitions, each of which closes its own windows"]
    return known, factors


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _reads_as_other_type(value: str) -> bool:
    """Whether a reader that guesses types would not take this folder's value for text."""
    return bool(re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?|true|false|null|nan|\d{4}-\d\d-\d\d.*", value, re.IGNORECASE))


def _text_columns(source: settings.SourceSection) -> dict[str, settings.ColumnSettings]:
    one = source.kafka or source.replay
    return {} if one is None else {name: column for name, column in one.columns.items() if column.type == "string"}
