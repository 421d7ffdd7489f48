"""Differences of two queries in the words of a configuration file: `aggregate.total: sum(x) -> mean(x)`. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from arrowflow.windows.durations import UNIT_US

Difference = tuple[str, object, object]
ABSENT = "(absent)"

_PLACES = (
    ("operator.window.kind", "window.type"),
    ("operator.window.calendar.", "calendars.*."),
    ("operator.window.", "window."),
    ("operator.group_by", "window.group_by"),
    ("operator.scope", "event_time.scope"),
    ("operator.correct_for_us", "window.correct_for_us"),
    ("operator.roster", "completeness"),
    ("decoder.fields.", "source.schema."),
    ("decoder.", "source."),
    ("transforms", "transform"),
    ("sinks.late", "late"),
    ("sinks.dead_letter", "dead_letter"),
    ("sinks.", "sink."),
)
"""Where the query keeps something, and where a file says it; the first that fits counts."""
_AGGREGATES = "operator.aggregates"


def told(old: Mapping[str, object], new: Mapping[str, object], found: Sequence[Difference]) -> list[str]:
    """One line for each difference, an aggregate's told whole; `found` lists them with their paths in the query."""
    lines: dict[str, None] = {}
    for path, before, after in found:
        if path.startswith(f"{_AGGREGATES}."):
            name = path.split(".")[2]
            lines[f"aggregate.{name}: {_call(old, name)} -> {_call(new, name)}"] = None
        elif path == _AGGREGATES:
            lines.update(dict.fromkeys(_calls(before, after)))
        else:
            lines[f"{_place(path)}: {_value(path, before)} -> {_value(path, after)}"] = None
    return list(lines)


def _place(path: str) -> str:
    if path == "late":
        return "window.late"
    for prefix, place in _PLACES:
        if path.startswith(prefix):
            path = place + path[len(prefix) :]
            break
    if path.startswith(("sink.", "late.", "dead_letter.")) and path.endswith(".root"):
        path = f"{path.removesuffix('root')}path"
    return path.removesuffix("_us")


def _value(path: str, value: object) -> str:
    if value is None or value == ABSENT:
        return "(none)"
    if path.endswith("_us") and isinstance(value, int):
        return duration(value)
    if isinstance(value, Mapping):
        return f"({', '.join(f'{key} {_plain(item)}' for key, item in sorted(value.items()) if key != 'name' and item is not None)})"
    return _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def duration(us: int) -> str:
    """Microseconds as a file writes them; the largest units that leave no rest."""
    if us <= 0:
        return f"{us}s" if us == 0 else f"{us} µs"
    text, rest = "", us
    for unit, size in UNIT_US.items():
        if rest >= size:
            text, rest = f"{text}{rest // size}{unit}", rest % size
    return f"{us} µs" if rest else text


def _call(query: Mapping[str, object], name: str) -> str:
    operator = query.get("operator")
    listed = operator.get("aggregates") if isinstance(operator, Mapping) else None
    for each in listed if isinstance(listed, list) else []:
        if each["name"] == name:
            return _written(each)
    return "(none)"


def _calls(before: object, after: object) -> Iterator[str]:
    """All aggregates came or went together, with the window."""
    for each in before if isinstance(before, list) else []:
        yield f"aggregate.{each['name']}: {_written(each)} -> (none)"
    for each in after if isinstance(after, list) else []:
        yield f"aggregate.{each['name']}: (none) -> {_written(each)}"


def _written(aggregate: Mapping[str, object]) -> str:
    inside = [str(aggregate.get("column") or "*")]
    for key, value in aggregate.items():
        if key not in ("name", "function", "column"):
            given = value if isinstance(value, list) else [value]
            inside += [each if isinstance(each, str) else _plain(each) for each in given]
    return f"{aggregate.get('function')}({', '.join(inside)})"
