"""Descriptions of windows as frozen values, and what they mean for rows of one schema. Folds nothing."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.protocols import Calendar
from arrowflow.types import RESERVED
from arrowflow.windows.aggregates.custom import CustomAggregate
from arrowflow.windows.arrays import Array, Field
from arrowflow.windows.durations import duration_us
from arrowflow.windows.functions import FUNCTIONS, Family, Function, is_float, is_kept, is_known, is_number, is_text
from arrowflow.windows.parameters import Parameter
from arrowflow.windows.roster import COMPLETENESS, PlannedRoster, Roster, plan_roster
from arrowflow.windows.shapes import MAX_US, Cumulative, Hopping, Session, Sliding, Tumbling

STATE_VERSION = "1"
CLOSED_BY = "__af_closed_by"
UTC = pa.timestamp("us", tz="UTC")
DAY = pa.date32()
LONGEST_CALENDAR_US = 366 * 86_400_000_000
Unit = Literal["shift", "day", "week", "month"]
UNITS: tuple[Unit, ...] = ("shift", "day", "week", "month")


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """Windows whose bounds a calendar gives for each value of the group key `key`.

    Parameters
    ----------
    calendar : Calendar
        Where the boundaries come from.
    key : str
        The group key whose value picks the calendar.
    unit : "shift", "day", "week" or "month"
        One window per named interval, or one per production day, week or month.
    off : "window" or "dead_letter"
        What becomes of rows in an interval labelled ``off``: a window of its own, or a dead letter. An interval inside
        a window, such as a break in a shift, takes nothing of the window but its rows.
    """

    calendar: Calendar
    key: str
    unit: Unit
    off: Literal["window", "dead_letter"] = "window"

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ConfigError(f"calendar window: unit is {self.unit!r}; it is one of {', '.join(map(repr, UNITS))}")
        if self.off not in ("window", "dead_letter"):
            raise ConfigError(f"calendar window: off is {self.off!r}; it is 'window' or 'dead_letter'")

    @property
    def longest_us(self) -> int:
        """How long before the clock a window to come may start."""
        return LONGEST_CALENDAR_US

    def fields(self) -> tuple[Field, ...]:
        """Result columns this kind adds after ``window_end``."""
        day = pa.field("production_day", DAY)
        if self.unit == "shift":
            return pa.field("shift", pa.string()), day
        # A day off is a row like those of other days; one among weeks or months is a row of another length.
        return (day,) if self.unit == "day" else (day, pa.field("off", pa.bool_()))

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""
        rules = dict(self.calendar.fingerprint())
        return {"kind": "calendar", "key": self.key, "unit": self.unit, "off": self.off, "calendar": rules}


WindowKind = Tumbling | Hopping | Cumulative | Sliding | Session | CalendarWindow


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One result column: `function` over the non-null values of `column`, or over rows for ``count`` of None.

    Parameters
    ----------
    name : str
        The result column.
    function : str or CustomAggregate
        A name in `FUNCTIONS`, or a function of your own.
    column : str or None
        What it reads.
    arguments : tuple
        What follows the column in ``function(column, …)``: numbers, strings, or the name of a second column.
    """

    name: str
    function: str | CustomAggregate[Any]
    column: str | None = None
    arguments: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError(f"aggregate {self.called}({self.column}): the output needs a name")
        if isinstance(self.function, str) and self.function not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            hint = _did_you_mean(self.function, FUNCTIONS)
            raise ConfigError(f"aggregate {self.name!r}: there is no function {self.called!r}{hint}; there are {known}")
        if self.column is None and self.function != "count":
            raise ConfigError(f"aggregate {self.name!r}: {self.called} needs a column; only count works without one")
        self.complete()

    @property
    def called(self) -> str:
        """The name of the function."""
        return self.function if isinstance(self.function, str) else self.function.name

    def complete(self) -> tuple[object, ...]:
        """The arguments with defaults in the places of those left out; raises `ConfigError` for wrong ones."""
        if not isinstance(self.function, str):
            if self.arguments:
                raise ConfigError(f"aggregate {self.name!r}: give {self.called} its arguments when you make it")
            return ()
        function = FUNCTIONS[self.function]
        if self.column is None and self.arguments:
            raise ConfigError(f"aggregate {self.name!r}: count of rows takes no argument")
        try:
            return function.read(self.arguments)
        except ValueError as error:
            usage = function.usage(self.function)
            raise ConfigError(f"aggregate {self.name!r}: {error}; write {usage}") from None

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""
        arguments = self.complete()
        if isinstance(self.function, CustomAggregate):
            arguments = (dict(self.function.fingerprint()),)
        return {"name": self.name, "function": self.called, "column": self.column, **_told(arguments)}


@dataclass(frozen=True, slots=True)
class PlannedAggregate:
    """An aggregate whose types are known; aggregates of equal `accumulator` share what they keep.

    `arguments` has one entry per parameter of the function, durations in microseconds.
    """

    name: str
    function: str
    column: str | None
    family: Family
    output: pa.DataType
    accumulator: PlannedAccumulator | None
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedAccumulator:
    """What is kept per open window for one column, named like ``sum(speed)`` in the state.

    Parameters
    ----------
    kind, column, type : str, str, DataType
        What it keeps, of which column, and that column's type.
    other, other_type : str, DataType or None
        A second column.
    arguments : tuple
        Those that what it keeps depends on; accumulators of other arguments are others.
    custom : CustomAggregate or None
        The user's own function; `arguments` holds its fingerprint as text.
    """

    kind: str
    column: str
    type: pa.DataType
    other: str | None = None
    other_type: pa.DataType | None = None
    arguments: tuple[object, ...] = ()
    custom: CustomAggregate[Any] | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Names its columns in the state."""
        if self.custom is not None:
            return f"{self.custom.name}({self.column})"
        rest = [*([] if self.other is None else [self.other]), *map(str, self.arguments)]
        return f"{self.kind}({', '.join([self.column, *rest])})"

    @property
    def columns(self) -> dict[str, pa.DataType]:
        """The columns it reads, by type."""
        if self.other is None or self.other_type is None:
            return {self.column: self.type}
        return {self.column: self.type, self.other: self.other_type}


@dataclass(frozen=True, slots=True)
class Plan:
    """A window description checked against the schema of its rows."""

    window: WindowKind
    keys: tuple[Field, ...]
    aggregates: tuple[PlannedAggregate, ...]
    allowed_lateness_us: int
    scope: Literal["pipeline", "partition"]
    correct_for_us: int | None = None
    roster: PlannedRoster | None = None

    @property
    def corrects(self) -> bool:
        """Whether late rows reopen windows that came out."""
        return self.correct_for_us is not None

    @property
    def accumulators(self) -> tuple[PlannedAccumulator, ...]:
        """Each accumulator once, in the order of the aggregates that need them."""
        return tuple(dict.fromkeys(a.accumulator for a in self.aggregates if a.accumulator is not None))

    @property
    def columns(self) -> dict[str, pa.DataType]:
        """The columns rows must bring, by type."""
        wanted = {key.name: key.type for key in self.keys}
        for accumulator in self.accumulators:
            wanted |= accumulator.columns
        return wanted

    def output_schema(self) -> pa.Schema:
        """The columns of closed windows, in order."""
        own = self.own_schema()
        if self.roster is None:
            return own
        return pa.schema([*list(own)[:-1], *COMPLETENESS, own.field(CLOSED_BY)])

    def own_schema(self) -> pa.Schema:
        """The columns of closed windows without what a roster adds."""
        bounds = [pa.field("window_start", UTC), pa.field("window_end", UTC)]
        results = [pa.field(aggregate.name, aggregate.output) for aggregate in self.aggregates]
        return pa.schema([*self.keys, *bounds, *self.window.fields(), *results, pa.field(CLOSED_BY, pa.string())])

    def state_metadata(self) -> dict[str, str]:
        """What the schema of the state says about itself; both families have their place."""
        aggregates = [
            {"name": a.name, "function": a.function, "column": a.column, "family": a.family, **_told(a.arguments)}
            for a in self.aggregates
        ]
        return {
            "arrowflow.state": STATE_VERSION,
            "arrowflow.window": str(self.window.fingerprint()["kind"]),
            "arrowflow.aggregates": json.dumps(aggregates, sort_keys=True),
        }


def plan_window(
    window: WindowKind,
    group_by: tuple[str, ...],
    aggregates: tuple[Aggregate, ...],
    allowed_lateness_us: int,
    scope: Literal["pipeline", "partition"],
    schema: pa.Schema,
    *,
    correct_for_us: int | None = None,
    roster: Roster | None = None,
) -> Plan:
    """Check a description against `schema`; raises `ConfigError` naming what is wrong and what was possible."""
    if not 0 <= allowed_lateness_us <= MAX_US:
        raise ConfigError(f"window: allowed_lateness is {allowed_lateness_us} µs; it must not be negative")
    if scope not in ("pipeline", "partition"):
        raise ConfigError(f"window: scope is {scope!r}; it is 'pipeline' or 'partition'")
    if scope == "partition" and not group_by:
        raise ConfigError(
            'window: scope = "partition" promises that a group key lives in one partition: it needs group_by'
        )
    _check_correction(window, correct_for_us)
    _check_calendar(window, group_by, schema)
    keys = tuple(_plan_key(name, schema) for name in group_by)
    planned = tuple(_plan_aggregate(aggregate, schema) for aggregate in aggregates)
    expected = _plan_roster(window, keys, scope, correct_for_us, roster)
    plan = Plan(window, keys, planned, allowed_lateness_us, scope, correct_for_us, expected)
    _check_custom(plan)
    _check_ordered(plan)
    _check_names(plan)
    return plan


def _plan_key(name: str, schema: pa.Schema) -> Field:
    field = _column(f"group_by {name!r}", name, schema)
    if not is_known(field.type) or is_float(field.type):
        raise ConfigError(
            f"group_by {name!r}: the column is {field.type}; group by strings, integers, bool, dates or timestamps"
        )
    return pa.field(name, field.type)


def _plan_aggregate(aggregate: Aggregate, schema: pa.Schema) -> PlannedAggregate:
    if aggregate.column is None:
        return PlannedAggregate(aggregate.name, aggregate.called, None, "commutative", pa.int64(), None)
    if isinstance(aggregate.function, CustomAggregate):
        return _plan_custom(aggregate, aggregate.function, aggregate.column, schema)
    place = f"aggregate {aggregate.name!r}"
    function = FUNCTIONS[aggregate.function]
    kind = _column(place, aggregate.column, schema).type
    arguments = aggregate.complete()
    output = function.output(kind, arguments)
    if output is None:
        raise ConfigError(
            f"{place}: {aggregate.function} of column {aggregate.column!r}, which is {kind}; "
            f"{aggregate.function} takes {function.takes}"
        )
    planned = tuple(
        _plan_argument(place, parameter, argument, kind, schema)
        for parameter, argument in zip(function.parameters, arguments, strict=True)
    )
    accumulator = _plan_accumulator(function, aggregate.column, kind, planned, schema)
    return PlannedAggregate(
        aggregate.name, aggregate.function, aggregate.column, function.family, output, accumulator, planned
    )


def _plan_argument(place: str, parameter: Parameter, argument: object, kind: pa.DataType, schema: pa.Schema) -> object:
    """One argument as the accumulators take it: durations in microseconds, columns looked up."""
    if argument is None:
        return None
    if parameter.kind == "duration":
        return duration_us(str(argument))
    if parameter.kind == "column":
        other = _column(f"{place}: {parameter.name}", str(argument), schema).type
        fits = pa.types.is_integer(other) if parameter.name == "quality" else is_number(other)
        if not fits:
            raise ConfigError(
                f"{place}: {parameter.name} is column {argument!r}, which is {other}; it must be {parameter.allowed}"
            )
    if parameter.name == "state":
        _check_state(place, argument, kind)
    if parameter.name == "modulus":
        _check_modulus(place, argument, kind)
    return argument


def _check_modulus(place: str, modulus: object, kind: pa.DataType) -> None:
    """Counters are counted in the numbers of their column: whole ones wrap around at a whole number of 64 bits."""
    if pa.types.is_integer(kind):
        fits, allowed = isinstance(modulus, int) and 1 <= modulus <= 2**64, "a whole number from 1 to 2**64"
    else:
        assert isinstance(modulus, int | float), f"{place}: the parameter let {modulus!r} pass"
        fits, allowed = modulus <= sys.float_info.max, "a number that a double can be"
    if not fits:
        raise ConfigError(f"{place}: modulus is {modulus!r}, and the column is {kind}; it must be {allowed}")


def _check_state(place: str, state: object, kind: pa.DataType) -> None:
    # A bool is an int to Python and no number to anyone else.
    wanted = str if is_text(kind) else bool if pa.types.is_boolean(kind) else int | float
    if not isinstance(state, wanted) or (isinstance(state, bool) and wanted is not bool):
        raise ConfigError(f"{place}: the state {state!r} is no value of a column that is {kind}")
    try:
        pa.scalar(state, kind)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        raise ConfigError(f"{place}: the state {state!r} is no value of a column that is {kind}") from None


def _plan_accumulator(
    function: Function, column: str, kind: pa.DataType, arguments: tuple[object, ...], schema: pa.Schema
) -> PlannedAccumulator:
    """What has to be kept; of the arguments only what the contents depend on."""
    if function.accumulator == "distinct":
        return PlannedAccumulator("distinct", column, kind, arguments=arguments)
    if function.accumulator in ("weighted", "quality"):
        other = str(arguments[0])
        return PlannedAccumulator(function.accumulator, column, kind, other, schema.field(other).type)
    return PlannedAccumulator(function.accumulator, column, kind)


def _plan_custom(
    aggregate: Aggregate, custom: CustomAggregate[Any], column: str, schema: pa.Schema
) -> PlannedAggregate:
    place = f"aggregate {aggregate.name!r}"
    kind = _column(place, column, schema).type
    if not (is_known(kind) or is_number(kind)):
        raise ConfigError(
            f"{place}: {custom.name} of column {column!r}, which is {kind}; the window core knows no such values"
        )
    output = custom.output(kind)
    if output is None:
        raise ConfigError(f"{place}: {custom.name} of column {column!r}, which is {kind}; it does not take that type")
    if not is_kept(custom.state(kind)):
        raise ConfigError(f"{place}: {custom.name} keeps {custom.state(kind)}; the state knows no such values")
    text = json.dumps(dict(custom.fingerprint()), sort_keys=True)
    accumulator = PlannedAccumulator("custom", column, kind, arguments=(text,), custom=custom)
    return PlannedAggregate(aggregate.name, custom.name, column, "commutative", output, accumulator, (text,))


def _check_custom(plan: Plan) -> None:
    """Two functions of one name over one column would write the same columns of the state."""
    named: dict[str, PlannedAccumulator] = {}
    for accumulator in plan.accumulators:
        other = named.setdefault(accumulator.name, accumulator)
        if other != accumulator:
            raise ConfigError(
                f"aggregates: two different functions are called {accumulator.name}; give one another `name`"
            )


def _column(place: str, name: str, schema: pa.Schema) -> Field:
    if schema.names.count(name) != 1:
        hint = _did_you_mean(name, schema.names)
        raise ConfigError(f"{place}: there is no column {name!r}{hint}; the rows have {', '.join(schema.names)}")
    return schema.field(name)


def _check_calendar(window: WindowKind, group_by: tuple[str, ...], schema: pa.Schema) -> None:
    if not isinstance(window, CalendarWindow):
        return
    if window.key not in group_by:
        raise ConfigError(
            f"calendar window: key {window.key!r} picks the calendar, so it must be one of group_by "
            f"({', '.join(group_by) or 'which is empty'})"
        )
    kind = _column("calendar window: key", window.key, schema).type
    if not is_text(kind):
        raise ConfigError(f"calendar window: key {window.key!r} is {kind}; calendars are picked by a string column")


def _check_correction(window: WindowKind, correct_for_us: int | None) -> None:
    if correct_for_us is None:
        return
    if not 0 < correct_for_us <= MAX_US:
        raise ConfigError(f"window: correct_for is {correct_for_us} µs; it must be positive and fit into int64")
    if not isinstance(window, Tumbling | CalendarWindow):
        kind = window.fingerprint()["kind"]
        why = {
            "session": "a late row could make one of two sessions that were given out",
            "sliding": "a late row would change the result of every row after it",
        }.get(str(kind), "its windows share panes, which keep no revisions")
        raise ConfigError(
            f'window: late = "correct" works for tumbling and calendar windows, not for {kind} ones: {why}; '
            'use late = "side" and a larger allowed_lateness'
        )


def _plan_roster(
    window: WindowKind, keys: tuple[Field, ...], scope: str, correct_for_us: int | None, roster: Roster | None
) -> PlannedRoster | None:
    if roster is None:
        return None
    if isinstance(window, Session | Sliding):
        raise ConfigError(
            f"roster: a {window.fingerprint()['kind']} window is there only where its key has rows, so none can be without "
            "data; a roster needs tumbling, hopping, cumulative or calendar windows"
        )
    if scope != "pipeline":
        raise ConfigError(
            'roster: under scope = "partition" nobody knows which partition a silent key would come from, and so when its '
            'window is over; a roster needs scope = "pipeline"'
        )
    if correct_for_us is not None:
        raise ConfigError(
            'roster: late = "correct" would have to correct the counts in all rows of a window with every late row; '
            'with a roster use late = "side" or "drop"'
        )
    if isinstance(window, CalendarWindow):
        planned = plan_roster(roster, keys, stride_us=None, calendar_key=window.key)
        _check_calendars(window, planned.columns[planned.per[0]])
        return planned
    stride_us = window.size_us if isinstance(window, Tumbling) else window.stride_us
    return plan_roster(roster, keys, stride_us=stride_us, calendar_key=None)


def _check_calendars(window: CalendarWindow, values: Array) -> None:
    for value in values.unique().to_pylist():
        if window.calendar.table(value, 0, 1) is None:
            raise ConfigError(
                f"roster: {window.key} = {value!r} has no calendar, so no windows in which it could be expected"
            )


def _check_ordered(plan: Plan) -> None:
    ordered = [each.name for each in plan.aggregates if each.family == "ordered"]
    if ordered and plan.corrects:
        raise ConfigError(
            f'aggregate {ordered[0]!r}: late = "correct" would have to correct every later window too, since it looks '
            'back at the value before its window; use late = "side" with it'
        )
    if ordered and isinstance(plan.window, CalendarWindow) and plan.window.calendar.has_holes:
        unit = plan.window.unit
        inside = "breaks inside shifts" if unit == "shift" else f"days off inside a {unit}"
        remedy = "name shifts without breaks" if unit == "shift" else 'use unit = "day"'
        raise ConfigError(
            f"aggregate {ordered[0]!r}: the calendar has {inside}, and how long a value holds, or what it looks back to, "
            f"is not defined across them; {remedy}"
        )


def _check_names(plan: Plan) -> None:
    taken: set[str] = set()
    fixed = {"window_start", "window_end", *(field.name for field in plan.window.fields())}
    fixed.update(() if plan.roster is None else (field.name for field in COMPLETENESS))
    for place, name in [
        *(("group_by", key.name) for key in plan.keys),
        *(("aggregate", aggregate.name) for aggregate in plan.aggregates),
    ]:
        if name in fixed:
            raise ConfigError(
                f"{place} {name!r}: every window result has a column of that name already; choose another"
            )
        if name in RESERVED or name.startswith("__af_"):
            raise ConfigError(f"{place} {name!r}: names of that form are reserved; choose another")
        if name in taken:
            raise ConfigError(f"{place} {name!r}: the result has two columns of that name; rename one")
        taken.add(name)


def _told(arguments: tuple[object, ...]) -> dict[str, object]:
    """Nothing where there is nothing to tell: records and states from before there were arguments go on."""
    return {} if all(each is None for each in arguments) else {"arguments": list(arguments)}


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
