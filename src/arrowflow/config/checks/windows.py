"""Event time, windows and calendars: which settings belong together, and which contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from arrowflow.config import build, settings
from arrowflow.config.checks.common import decoded, in_durations, one_source, twice
from arrowflow.config.document import Document
from arrowflow.config.problem import Path, Problem, dotted, listed, meant, printable, shown
from arrowflow.config.sections import SLIDING_IS_HOPPING, Sections
from arrowflow.errors import ConfigError

_SHIFT = re.compile(r"([01]\d|2[0-3]):[0-5]\d\s*[-–]\s*(([01]\d|2[0-3]):[0-5]\d|24:00)")


def _event_time(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    event, window = sections.event_time, sections.window
    if event is None:
        if window is not None and sections.whole("event_time"):
            yield document.problem(
                ("event_time",),
                "a window needs event time: write [event_time] with `column` and `max_out_of_orderness`",
            )
        return
    if window is None and sections.whole("window"):
        if event.scope == "partition":
            yield document.problem(
                ("event_time", "scope"),
                '"partition" says which partitions a window waits for, and there is no [window]: remove it',
            )
        for key in ("idle_timeout", "close_silent_after"):
            if getattr(event, key) is not None:
                yield document.problem(
                    ("event_time", key), "is about closing windows, and there is no [window]: remove it", at_key=True
                )
    if event.scope == "partition" and event.idle_timeout is not None:
        yield document.problem(
            ("event_time", "idle_timeout"),
            'belongs to scope = "pipeline"; under "partition" a silent partition holds back only its own windows, and `close_silent_after` closes those',
            at_key=True,
        )
    if event.scope == "pipeline" and event.close_silent_after is not None:
        yield document.problem(
            ("event_time", "close_silent_after"),
            'belongs to scope = "partition"; under "pipeline" `idle_timeout` lets a silent partition go',
            at_key=True,
        )
    if event.when_all_idle == "advance" and event.idle_timeout is None:
        yield document.problem(
            ("event_time", "when_all_idle"),
            '"advance" needs `idle_timeout`, which says when a partition counts as idle',
        )
    if event.future_clock_reference == "create" and event.max_future_skew is None:
        yield document.problem(
            ("event_time", "future_clock_reference"), "has no meaning without `max_future_skew`", at_key=True
        )
    yield from _event_column(event, sections, document)


def _event_column(event: settings.EventTimeSection, sections: Sections, document: Document) -> Iterator[Problem]:
    found = one_source(sections)
    if found is None:
        return
    path, source = found
    rows = decoded(source)
    if rows is None:
        return
    here: Path = ("event_time", "column")
    if event.column not in rows.names:
        sentence = f"{shown(event.column)} is not in [{dotted((*path, 'schema'))}], which has {listed(rows.names)}{meant(event.column, rows.names)}"
        yield document.problem(here, sentence)
    elif not pa.types.is_timestamp(rows.field(event.column).type):
        column = source.columns.get(event.column)
        written = str(rows.field(event.column).type) if column is None else column.type
        sentence = f'{shown(event.column)} is "{written}", not a time: declare it as "timestamp[ms]" or whatever the messages hold'
        yield document.problem(here, sentence)


_WINDOW_KEYS = {
    "tumbling": ("size",),
    "hopping": ("size", "hop"),
    "sliding": ("size",),
    "session": ("gap",),
    "cumulative": ("size", "step"),
    "calendar": ("unit", "calendar"),
}
_WINDOW_OPTIONAL = {
    "tumbling": ("origin",),
    "hopping": ("origin",),
    "sliding": ("closed",),
    "session": ("max_length",),
    "cumulative": ("origin",),
    "calendar": ("off", "week_starts"),
}
_LENGTHS = ("size", "hop", "step", "gap", "max_length")
_NOT_HERE = {
    ("sliding", "hop"): SLIDING_IS_HOPPING,
    ("sliding", "step"): SLIDING_IS_HOPPING,
    (
        "tumbling",
        "hop",
    ): 'windows that begin at other intervals than their length are called "hopping" here: write type = "hopping"',
    ("hopping", "step"): "is what makes cumulative windows grow; how often a hopping window begins is called `hop`",
    ("cumulative", "hop"): "is how often a hopping window begins; what a cumulative window grows by is called `step`",
    (
        "session",
        "size",
    ): "a session has no size, it lasts while its rows are at most `gap` apart; `max_length` limits it",
}
"""Keys that say what was meant, by the kind they do not belong to."""


def _window(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    window = sections.window
    if window is None:
        return
    for key in _WINDOW_KEYS[window.type]:
        if getattr(window, key) is None:
            yield document.problem(("window", key), f"a {window.type} window needs it{_window_hint(key)}", at_key=True)
    yield from _foreign_keys(window, document)
    yield from _lengths(window, document)
    yield from _corrections(window, document)
    if window.type == "calendar" and window.week_starts is not None and window.unit not in (None, "week"):
        sentence = f'belongs to unit = "week", and this is {shown(window.unit)}: remove it'
        yield document.problem(("window", "week_starts"), sentence, at_key=True)
    yield from twice(document, ("window", "group_by"), window.group_by)
    if not window.group_by and sections.event_time is not None and sections.event_time.scope == "partition":
        yield document.problem(
            ("event_time", "scope"),
            '"partition" promises that a group lives in one partition, and without `window.group_by` there is one group for all: use "pipeline"',
        )
    if sections.aggregate is None and sections.whole("aggregate"):
        yield document.problem(
            ("aggregate",), 'a window needs at least one result: write [aggregate] with lines such as rows = "count(*)"'
        )


def _corrections(window: settings.WindowSection, document: Document) -> Iterator[Problem]:
    if window.late != "correct":
        if window.correct_for is not None:
            yield document.problem(
                ("window", "correct_for"), f'belongs to late = "correct", and this is {shown(window.late)}', at_key=True
            )
    elif window.type not in ("tumbling", "calendar"):
        yield document.problem(
            ("window", "late"),
            f'"correct" is not possible for {window.type} windows, only for tumbling and calendar ones: a late row would change '
            'several results that are published already, or merge them; use "side"',
        )
    elif not window.correct_for:
        yield document.problem(
            ("window", "late"),
            '"correct" needs `correct_for`, such as correct_for = "2d": the state of a closed window is kept so long, and rows '
            "that come even later are late",
        )


def _completeness(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    """Where a roster can be; what it lists is looked at when the columns are known."""
    completeness, window, event = sections.completeness, sections.window, sections.event_time
    if completeness is None:
        return
    if window is None:
        if sections.whole("window"):
            yield document.problem(
                ("completeness",), "is about the keys of windows, and there is no [window]: remove it", at_key=True
            )
        return
    yield from twice(document, ("completeness", "per"), completeness.per or [])
    if window.type in ("session", "sliding"):
        yield document.problem(
            ("completeness",),
            f"a {window.type} window is there only where its key has rows, so none can be without data: a roster needs "
            "tumbling, hopping, cumulative or calendar windows",
            at_key=True,
        )
    if event is not None and event.scope == "partition":
        yield document.problem(
            ("event_time", "scope"),
            'under "partition" nobody knows which partition a silent key would come from, and so when its window is over: '
            'with [completeness] it is "pipeline"',
        )
    if window.late == "correct":
        yield document.problem(
            ("window", "late"),
            '"correct" would have to correct the counts in all rows of a window with every late row: with [completeness] '
            'use "side" or "drop"',
        )


def _foreign_keys(window: settings.WindowSection, document: Document) -> Iterator[Problem]:
    """Complain of keys that belong to other kinds of windows."""
    keys = {kind: (*_WINDOW_KEYS[kind], *_WINDOW_OPTIONAL[kind]) for kind in _WINDOW_KEYS}
    for key in dict.fromkeys(key for own in keys.values() for key in own):
        if key in keys[window.type] or getattr(window, key) is None:
            continue
        homes = listed(kind for kind in keys if key in keys[kind])
        sentence = _NOT_HERE.get((window.type, key), f"belongs to {homes} windows, and this one is {window.type}")
        yield document.problem(("window", key), sentence, at_key=True)


def _lengths(window: settings.WindowSection, document: Document) -> Iterator[Problem]:
    """Complain of lengths that are nothing, or that do not go together."""
    if window.type == "calendar" or any(getattr(window, key) is None for key in _WINDOW_KEYS[window.type]):
        return
    own = [key for key in _LENGTHS if key in (*_WINDOW_KEYS[window.type], *_WINDOW_OPTIONAL[window.type])]
    faults = [
        document.problem(("window", key), "must be longer than nothing") for key in own if getattr(window, key) == 0
    ]
    yield from faults
    if faults:
        return
    try:
        build.build_shape(window)
    except ConfigError as error:
        yield document.problem(("window", _WINDOW_KEYS[window.type][-1]), in_durations(str(error)))


def _window_hint(key: str) -> str:
    return {
        "size": ', such as size = "8h"',
        "hop": ', such as hop = "5m": a window begins so often',
        "step": ', such as step = "1h": the window grows by so much',
        "gap": ', such as gap = "10m": a longer pause ends the session',
        "unit": ': "shift", "day", "week" or "month"',
        "calendar": ": the name of a table under [calendars]",
    }[key]


def _calendars(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    window = sections.window
    if window is not None and window.type == "calendar" and window.calendar is not None and sections.whole("calendars"):
        yield from _window_calendar(window, sections, document)
    for name, calendar in sections.calendars.items():
        faults = list(_calendar(("calendars", name), calendar, document))
        yield from faults
        if not faults:
            try:
                build.build_calendar(calendar)
            except ConfigError as error:
                yield document.problem(("calendars", name), str(error), at_key=True)


def _window_calendar(window: settings.WindowSection, sections: Sections, document: Document) -> Iterator[Problem]:
    name = window.calendar or ""
    calendar = sections.calendars.get(name)
    if calendar is None:
        yield document.problem(
            ("window", "calendar"),
            f"{shown(name)} is not one of the calendars, which are {listed(sections.calendars)}{meant(name, sections.calendars)}; write [calendars.{printable(name)}]",
        )
        return
    if calendar.key not in window.group_by:
        yield document.problem(
            ("window", "group_by"),
            f'must contain "{printable(calendar.key)}", the key of the calendar "{printable(name)}": its value picks the time zone of a window',
        )
    if window.unit == "shift" and not calendar.shifts:
        yield document.problem(
            ("calendars", name), 'unit = "shift" needs [shifts]: write shifts = { T1 = "06:00-14:00" }', at_key=True
        )


def _calendar(path: Path, calendar: settings.CalendarSection, document: Document) -> Iterator[Problem]:
    from arrowflow.calendars.zones import zone_names

    zones = zone_names()
    for value, zone in calendar.zones.items():
        if zone not in zones:
            yield document.problem(
                (*path, "zones", value),
                f"{shown(zone)} is no IANA time zone{meant(zone, zones) or '; names look like America/Monterrey'}",
            )
    yield from _plan(path, calendar, document)
    for index, plan in enumerate(calendar.revisions):
        yield from _plan((*path, "revisions", index), plan, document)


def _plan(
    path: Path, plan: settings.CalendarSection | settings.RevisionSection, document: Document
) -> Iterator[Problem]:
    faults = [
        document.problem(
            (*path, "shifts", name),
            f'{shown(hours)} is no shift: write "HH:MM-HH:MM" from 00:00 to 24:00, such as "22:00-06:00"',
        )
        for name, hours in plan.shifts.items()
        if not _SHIFT.fullmatch(hours.strip())
    ]
    yield from faults
    if not faults:
        for name, texts in plan.breaks.items():
            yield from _breaks((*path, "breaks", name), name, texts, plan.shifts, document)


def _breaks(
    path: Path, name: str, texts: Sequence[str], shifts: Mapping[str, str], document: Document
) -> Iterator[Problem]:
    """Complain of breaks of no shift, of what is no break, and of breaks that do not fit into their shift."""
    from arrowflow.calendars.shifts import parse_shifts

    if name not in shifts:
        sentence = f"there is no shift {shown(name)}, only {listed(shifts)}{meant(name, shifts)}"
        yield document.problem(path, sentence, at_key=True)
        return
    faults = [
        document.problem(
            (*path, index),
            f'{shown(text)} is no break: write "HH:MM-HH:MM" from 00:00 to 24:00, such as "10:00-10:30"',
        )
        for index, text in enumerate(texts)
        if not _SHIFT.fullmatch(text.strip())
    ]
    yield from faults
    if not faults:
        try:
            parse_shifts({name: shifts[name]}, {name: texts})
        except ConfigError as error:
            yield document.problem(path, str(error))


CHECKS = (_event_time, _window, _completeness, _calendars)
