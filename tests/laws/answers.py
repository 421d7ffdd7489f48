"""What a run of a setup must give, worked out from the rows of each partition alone with the oracles. Knows no operator."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tests.laws.columns import CARRY_US
from tests.laws.setups import Setup
from tests.laws.streams import Stream
from tests.oracles import aggregates as commutative
from tests.oracles import traces
from tests.oracles import windows as oracle
from tests.oracles.digest import item_hash
from tests.oracles.loglog import estimate
from tests.oracles.windows import MAX_US, MIN_US, Row, Window
from tests.unit.windows.drive import HoledCalendar

from arrowflow.windows.spec import Aggregate

TRACED = {"time_weighted_mean", "coverage", "time_in_state", "counter_delta"}
HASHED = {"x": "float", "f": "float", "d": "decimal", "s": "bytes"}


@dataclass(frozen=True)
class Expected:
    """Results as tuples with how often each comes, and what became of the other rows by (topic, partition, offset)."""

    results: Counter[tuple]
    late: dict
    missed: dict
    rejects: dict
    between: set
    ahead: set
    rows: int

    @property
    def folded(self) -> int:
        return self.rows - len(self.late) - len(self.rejects) - len(self.between) - len(self.ahead)


def expect(setup: Setup, stream: Stream, floors: Mapping[tuple, int], *, lateness_us: int | None = None) -> Expected:
    """The answer for a stream whose clocks had these floors from certain rows on."""
    rows = [row for part in stream.values() for row in part]
    lateness = setup.spec.allowed_lateness_us if lateness_us is None else lateness_us
    if setup.strict:
        answer = oracle.solve_by_rows(
            rows, grouping(setup), own_window(setup), [], setup.tolerance_us, lateness, floors
        )
    else:
        answer = oracle.solve(rows, assignment(setup), [], setup.tolerance_us, lateness, floors)
    results = Counter(_results(setup, rows, answer))
    return Expected(results, answer.late, answer.missed, answer.rejects, answer.between, answer.ahead, len(rows))


def assignment(setup: Setup) -> Callable[[Row], object]:
    """The windows of a row, for kinds where the row alone says it."""
    window = setup.spec.window
    match setup.kind:
        case "tumbling":
            return lambda row: oracle.tumbling(row.event_us, window.size_us, window.origin_us)
        case "hopping":
            return lambda row: oracle.hopping(row.event_us, window.size_us, window.hop_us, window.origin_us)
        case "cumulative":
            return lambda row: oracle.cumulative(row.event_us, window.size_us, window.step_us, window.origin_us)
    site = setup.spec.group_by.index("site")
    if isinstance(window.calendar, HoledCalendar):
        pieces = window.calendar.pieces
        return lambda row: oracle.holed(row.event_us, pieces.get(row.key[site]), window.off)
    tables = window.calendar.windows
    return lambda row: oracle.calendar(row.event_us, tables.get(row.key[site]), window.unit, window.off)


def grouping(setup: Setup) -> Callable[[Sequence[int]], list[tuple[Window, list[int]]]]:
    """The windows of one key from the times of its rows."""
    window = setup.spec.window
    if setup.kind == "sliding":
        return lambda times: oracle.sliding(times, window.size_us, window.closed)
    return lambda times: oracle.sessions(times, window.gap_us, window.max_length_us)


def own_window(setup: Setup) -> Callable[[int], Window | str]:
    """The window a row would have alone, or why it has none."""
    window = setup.spec.window
    if setup.kind == "sliding":
        before, after, length = window.size_us, 0, 0
    elif setup.kind == "session":
        before, after, length = window.gap_us, window.gap_us, window.gap_us
    else:
        before, after = 1, max(window.gap_us, window.max_length_us)
        length = min(window.gap_us, window.max_length_us)

    def own(event: int) -> Window | str:
        if event < MIN_US + before or event >= MAX_US - after:
            return "out_of_range"
        return Window(event - before if setup.kind == "sliding" else event, event + length)

    return own


def _results(setup: Setup, rows: Sequence[Row], answer: oracle.Answer) -> list[tuple]:
    spec, found = setup.spec, []
    lost = {*answer.late, *answer.rejects, *answer.between, *answer.ahead}
    traced = any(each.function in TRACED for each in spec.aggregates)
    folded: dict[tuple, list[Row]] = {}
    for row in rows if traced else ():
        if oracle.place(row) not in lost:
            folded.setdefault(row.key, []).append(row)
    extra = called(spec.window.unit) if setup.kind == "calendar" else lambda _at: ()
    for (key, at, *_n), members in answer.members.items():
        values = []
        for each in spec.aggregates:
            if each.function in TRACED:
                values.append(traced_value(setup, each, at, members, folded[key]))
            else:
                values.append(commutative_value(each, members))
        found.append((*map(normal, key), at.start, at.end, *extra(at), *map(normal, values)))
    return found


def called(unit: str) -> Callable[[Window], tuple]:
    """What the results of calendar windows say beside their bounds."""
    if unit == "shift":
        return lambda at: (at.label, at.day)
    return (lambda at: (at.day,)) if unit == "day" else lambda at: (at.day, repr(at.label == "off"))


def normal(value: object) -> object:
    """A form in which equal means equal bit for bit; any NaN is one."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    if isinstance(value, Decimal):
        return value.as_tuple()
    return repr(value) if isinstance(value, bool) else value


def commutative_value(aggregate: Aggregate, rows: Sequence[Row]) -> object:
    """One commutative aggregate over the rows of one window."""
    function, column, arguments = aggregate.function, aggregate.column, aggregate.arguments
    if function in ("weighted_mean", "quality_mean"):
        pairs = [(row.values[column], row.values[arguments[0]]) for row in rows]
        return getattr(commutative, function)([pair for pair in pairs if None not in pair])
    if column is None or function in ("count", "first", "last"):
        return oracle.finish(function, column, rows)
    values = [row.values[column] for row in rows if row.values[column] is not None]
    match function:
        case "sum" | "mean" if values and isinstance(values[0], Decimal):
            return getattr(commutative, f"decimal_{function}")(values)
        case "sum" if arguments:
            return commutative.decimal_sum([Decimal(value) for value in values])
        case "var" | "stddev":
            return getattr(commutative, function)(values)
        case "count_distinct":
            return distinct(column, values, arguments[0] if arguments else 10_000)
        case "quantile":
            return bucket_middle(commutative.quantile(values, str(arguments[0])))
    return oracle.finish(function, column, rows)


def distinct(column: str, values: Sequence, limit: int) -> int:
    """Exactly up to the limit, then what HyperLogLog makes of the documented hashes, but more than the limit."""
    forms = {"nan" if value != value else value for value in values}
    if len(forms) <= limit:
        return len(forms)
    kind = HASHED.get(column, "int")
    # One NaN, and 0.0 where -0.0 equals it.
    items = [math.nan if form == "nan" and kind == "float" else form for form in forms]
    items = [int(item.scaleb(3)) if kind == "decimal" else item + 0.0 if kind == "float" else item for item in items]
    return max(limit + 1, estimate([item_hash(kind, item) for item in items]))


def bucket_middle(exact: object) -> float | None:
    """The middle of the bucket of 1/128 of a binade that a value lies in; of integers the middle of those in it."""
    if exact is None or exact != exact:
        return exact
    number = float(exact)
    size = abs(number)
    if size == math.inf or size < 2.0**-1022:
        return number if size == math.inf else 0.0
    mantissa, exponent = math.frexp(size)
    low = math.ldexp(math.floor(mantissa * 256), exponent - 8)
    middle = low + math.ldexp(0.5, exponent - 8)
    if isinstance(exact, int):
        middle = low if size < 128 else middle - 0.5
    return math.copysign(middle, number)


def traced_value(
    setup: Setup, aggregate: Aggregate, at: Window, members: Sequence[Row], folded: Sequence[Row]
) -> object:
    """One ordered aggregate over a window, with what was known of its key before."""
    column, carry = aggregate.column, None
    if aggregate.arguments and aggregate.arguments[-1] in CARRY_US:
        carry = CARRY_US[aggregate.arguments[-1]]
    inside = _samples(members, column)
    opens = at.start + (setup.kind == "sliding" and setup.spec.window.closed == "right")
    before = traces.last_before(_samples(folded, column), opens)
    if aggregate.function == "counter_delta":
        modulus = next((each for each in aggregate.arguments if isinstance(each, int)), None)
        return traces.counter_delta(inside, before, carry, modulus)
    held = traces.holds(inside, before, at.start, at.end, carry)
    match aggregate.function:
        case "coverage":
            return traces.coverage(held, at.start, at.end)
        case "time_in_state":
            return traces.time_in_state(held, aggregate.arguments[0])
    return traces.time_weighted_mean(held)


def _samples(rows: Sequence[Row], column: str) -> list[traces.Sample]:
    return [
        (row.event_us, "in", row.topic, row.partition, row.offset, row.values[column])
        for row in rows
        if row.values[column] is not None
    ]
