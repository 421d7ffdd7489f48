"""The laws: each draws a configuration, a stream and a history from dice, runs them and compares with the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from tests.laws.answers import Expected, expect
from tests.laws.columns import Dice
from tests.laws.histories import Habits, draw_habits, play
from tests.laws.runs import Broken, Run, hold
from tests.laws.setups import Setup, draw_setup
from tests.laws.streams import CROWDED, SPREAD, Stream, apart, crowd_of, draw_rows, moved, shuffled
from tests.oracles.windows import clocks
from tests.unit.windows.drive import partition_of

from arrowflow.types import MIN_US, PartitionClock, SourcePartition
from arrowflow.windows.clocks import raise_floor, tick, watermark_us

Law = Callable[[Dice, str], None]


def one_answer(dice: Dice, kind: str) -> None:
    """Whatever the cutting and the interleaving: the oracle's rows, late ones included, and none vanishes."""
    setup = draw_setup(dice, kind)
    stream = draw_rows(dice, setup, far=not traced(setup))
    run = start(dice, setup, stream)
    play(dice, run, stream, draw_habits(dice))
    run.close()
    told, interim = run.outcome.results.copy(), None
    if dice.random() < 0.2:
        interim = Counter(run.tuples(run.operator.interim(), 1))
    run.finish()
    wanted = expect(setup, stream, {})
    judge(run, wanted)
    if interim is not None:
        hold("interim results", interim, wanted.results - told)
    prompt = {row: n for row, n in wanted.results.items() if over(run, row)}
    hold("windows closed by the clocks", told, prompt)


def any_crash(dice: Dice, kind: str) -> None:
    """Restored from a snapshot and deltas, with uncommitted rows read again in another order: the same answer."""
    setup = draw_setup(dice, kind)
    stream = draw_rows(dice, setup, far=not traced(setup))
    run = start(dice, setup, stream)
    if dice.random() < 0.1:
        run.commit(full=dice.random() < 0.5)
        run.crash()
    play(dice, run, stream, draw_habits(dice, crashes=True))
    run.finish()
    judge(run, expect(setup, stream, {}))
    if dice.random() < 0.1:  # hardly anything is left to come back to
        run.commit()
        run.crash()


def permutation(dice: Dice, kind: str) -> None:
    """Order inside the tolerance changes nothing: the answer is that of the rows in another order."""
    setup = patient(draw_setup(dice, kind))
    stream = draw_rows(dice, setup, unique=True, limits=False)
    other = shuffled(dice, stream)
    run = start(dice, setup, stream)
    play(dice, run, other, draw_habits(dice))
    run.finish()
    wanted = expect(setup, stream, {})
    # A dead letter is known by its place, which is not that of the row's time any more.
    judge(run, replace(wanted, rejects=expect(setup, other, {}).rejects) if wanted.rejects else wanted)


def shift(dice: Dice, kind: str) -> None:
    """Times moved by a multiple of the size move the windows, and nothing else."""
    setup = draw_setup(dice, kind)
    stream = draw_rows(dice, setup, base=dice.choice((0, -37)), limits=False)
    step = {"tumbling": "size_us", "hopping": "hop_us", "cumulative": "size_us"}.get(kind)
    by = dice.randint(-(10**9), 10**9) * (1 if step is None else getattr(setup.spec.window, step))
    run = start(dice, setup, stream)
    play(dice, run, moved(stream, by), draw_habits(dice))
    run.finish()
    judge(run, shifted(expect(setup, stream, {}), by, len(setup.spec.group_by)))


def merge(dice: Dice, kind: str) -> None:
    """Halves that come together at last, as sessions or as panes of one window, are one pass over all."""
    setup = patient(draw_setup(dice, kind))
    width = setup.spec.window.gap_us if kind == "session" else setup.unit
    stream = apart(draw_rows(dice, setup), width)
    run = start(dice, setup, stream)
    play(dice, run, stream, Habits(dice.choice((1, 4, 40)), close=0.2))
    run.finish()
    judge(run, expect(setup, stream, {}))


def digest(dice: Dice, kind: str) -> None:
    """Operators that hold the same rows have the same digest and the same panes, however the rows came."""
    setup = patient(draw_setup(dice, kind))
    stream = draw_rows(dice, setup)
    found = []
    for crashes in (False, True):
        run = start(dice, setup, stream)
        habits = draw_habits(dice, crashes=True) if crashes else Habits(dice.choice((3, 40)), close=0.0)
        play(dice, run, stream, habits, lambda run: dice.random() < 0.1 and run.operator.digest())
        panes = sorted(map(repr, run.operator.snapshot().to_pylist()))
        found.append((run.operator.digest(), run.operator.folded_rows, run.operator.open_windows, panes))
    hold("state of the second run", found[1], found[0])


def early(dice: Dice, kind: str) -> None:
    """Windows closed before their time never get a second first result: floors rise, and later rows are late."""
    setup = draw_setup(dice, kind)
    stream = draw_rows(dice, setup)
    run = start(dice, setup, stream)
    silent = setup.spec.scope == "partition" and dice.random() < 0.6

    def maybe(run: Run) -> None:
        if dice.random() < 0.3:
            fed = dice.sample(list(run.clocks), dice.randint(1, len(run.clocks))) if silent else None
            before = run.outcome.results.copy()
            closed = run.close_early(fed, "silence")
            ends = {row[len(setup.spec.group_by) + 1] for row in (run.outcome.results - before)}
            reach = max(ends) + setup.spec.allowed_lateness_us + setup.strict if ends else MIN_US
            hold("reach of the windows closed early", closed.reach_us, reach)
            if ends and fed is not None and (set(closed.floors) - set(fed) or max(closed.floors.values()) != reach):
                raise Broken(f"floors {closed.floors} of {fed} for a reach of {reach}")

    play(dice, run, stream, draw_habits(dice, crashes=dice.random() < 0.2), maybe)
    run.finish()
    judge(run, expect(setup, stream, run.outcome.floors))


def idleness(dice: Dice, kind: str) -> None:
    """Given when partitions were idle, the answer is that of their streams with the floors they came back at."""
    setup = draw_setup(dice, kind, scope="pipeline")
    stream = draw_rows(dice, setup)
    run = start(dice, setup, stream)

    def maybe(run: Run) -> None:
        if dice.random() < 0.4:
            run.idle(dice.choice(list(run.clocks)))
            run.close()

    play(dice, run, stream, draw_habits(dice), maybe)
    run.finish()
    judge(run, expect(setup, stream, run.outcome.floors))


def correction(dice: Dice, kind: str) -> None:
    """Under "correct" the newest revisions are those of all rows that came in time for one."""
    setup = draw_setup(dice, kind, corrects=True)
    stream = draw_rows(dice, setup, far=True)
    run = start(dice, setup, stream)
    play(dice, run, stream, draw_habits(dice, crashes=dice.random() < 0.5))
    run.finish()
    run.outcome.results = Counter(row for _revision, _home, row in run.outcome.revisions.values())
    judge(run, expect(setup, stream, {}, lateness_us=setup.spec.allowed_lateness_us + setup.spec.correct_for_us))


def crowd(dice: Dice, kind: str) -> None:
    """Tables that grow, are swept and numbered anew while windows are open change nothing."""
    setup = draw_setup(dice, kind, scope="partition")
    stream = draw_rows(dice, setup, limits=False)
    at = min(row.event_us for rows in stream.values() for row in rows)
    waves = [crowd_of(dice, setup, stream, at + wave * 2000 * setup.unit, wave * 2000) for wave in (0, 1)]
    waves = waves[: dice.choice((1, 1, 2))]
    everyone = {**stream, CROWDED: [row for wave in waves for row in wave]}
    run, crashes = start(dice, setup, everyone), dice.random() < 0.3

    def wave(run: Run) -> None:
        if waves and dice.random() < 0.6:
            run.fold(waves.pop(0))
            run.commit() if crashes else run.close()

    play(dice, run, stream, draw_habits(dice, crashes=crashes), wave)
    while waves:
        wave(run)
    run.finish()
    judge(run, expect(setup, everyone, {}))


def one_by_one(dice: Dice, kind: str) -> None:
    """Many rows of one key, each in a slice of its own: how a window came by its rows does not matter."""
    setup = patient(draw_setup(dice, kind))
    rows = max(draw_rows(dice, setup, limits=False, rows=dice.randint(40, 80)).values(), key=len)
    stream = {rows[0].partition: [replace(row, key=rows[0].key) for row in rows]}
    run = start(dice, setup, stream)
    play(dice, run, stream, Habits(longest=1, close=0.02))
    run.finish()
    judge(run, expect(setup, stream, {}))


def clock(dice: Dice, kind: str) -> None:
    """Clocks are those of the rows before, floors and limits kept; the watermark is the least of those not idle."""
    tolerance, held, least = dice.choice((0, 3, 25, 2**62)), {}, []
    for number in range(dice.randint(1, 3)):
        base, count = dice.choice((0, -37, MIN_US, 2**63 - 41)), dice.randint(0, 12)
        events = [None if dice.random() < 0.2 else base + dice.randint(0, 40) for _ in range(count)]
        limits = None if dice.random() < 0.5 else [base + dice.randint(0, 40) for _ in range(count)]
        floor = None if dice.random() < 0.5 else dice.choice((MIN_US, base, base + 20))
        state, before, ahead = raise_floor(PartitionClock(), floor) if floor is not None else PartitionClock(), [], []
        for at in _cuts(dice, count):
            part = np.array([event or 0 for event in events[at]], np.int64)
            limit = None if limits is None else np.array(limits[at], np.int64)
            ticked = tick(state, part, np.array([e is not None for e in events[at]], np.bool_), limit, tolerance)
            state = ticked.clock
            before += ticked.clock_us.tolist()
            ahead += ticked.ahead.tolist()
        wanted = clocks(events, tolerance, limits, floor=floor)
        hold("clocks", (before, ahead, state.max_event_us), wanted)
        hold("floor", state.floor_us, floor)
        clock_us = max(MIN_US if floor is None else floor, MIN_US if wanted[2] is None else wanted[2] - tolerance)
        hold("clock at the end", state.clock_us(tolerance), clock_us)
        idle = dice.random() < 0.3
        held[SourcePartition("in", "t", number)] = PartitionClock(
            max_event_us=state.max_event_us, floor_us=floor, idle=idle
        )
        least += [] if idle else [clock_us]
    hold("watermark", watermark_us(held, tolerance), min(least, default=None))


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "one answer": one_answer,
        "any crash": any_crash,
        "permutation": permutation,
        "shift": shift,
        "merge": merge,
        "digest": digest,
        "early": early,
        "idleness": idleness,
        "correction": correction,
        "crowd": crowd,
        "one by one": one_by_one,
        "clock": clock,
    }
)
WEIGHTS: Mapping[str, int] = MappingProxyType(
    {
        "one answer": 20,
        "any crash": 4,
        "permutation": 8,
        "shift": 8,
        "merge": 8,
        "digest": 1,
        "early": 6,
        "idleness": 8,
        "correction": 6,
        "crowd": 1,
        "one by one": 1,
        "clock": 4,
    }
)
"""How many of some 430 examples are of each law, for each kind it is about: fewer of those that take long."""
ONLY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "merge": ("session", "hopping", "cumulative"),
        "shift": ("tumbling", "hopping", "cumulative", "sliding", "session", "pieces"),
        "correction": ("tumbling", "calendar"),
        "crowd": ("tumbling", "hopping", "cumulative", "sliding", "session", "pieces"),
        "clock": ("none",),
    }
)
"""Laws that are about some kinds only; the others are about every one."""


def traced(setup: Setup) -> bool:
    """Whether any aggregate is an ordered one."""
    return any(each.family == "ordered" for each in setup.spec.plan(setup.schema).aggregates)


def start(dice: Dice, setup: Setup, stream: Stream) -> Run:
    """A run that knows the partitions of a stream."""
    known = [partition_of(rows[0]) for rows in stream.values() if rows]
    return Run(setup, known, dice.choice((1, 1, 3)))


def patient(setup: Setup) -> Setup:
    """The same with a tolerance that makes no row late."""
    return Setup(setup.kind, setup.spec, setup.schema, 4 * SPREAD * setup.unit, setup.unit, setup.coded)


def judge(run: Run, wanted: Expected) -> None:
    """Results and lost rows are those of the answer, and every row is somewhere."""
    found = run.outcome
    for what in ("late", "missed", "rejects", "ahead"):
        hold(what, getattr(found, what), getattr(wanted, what))
    hold("rows between windows", found.between, len(wanted.between))
    hold("rows folded", found.folded, wanted.folded)
    hold("rows that left the state", found.left, wanted.folded)
    if found.results != wanted.results:
        spare, missing = found.results - wanted.results, wanted.results - found.results
        raise Broken(f"results: {dict(spare)} are not in the answer, {dict(missing)} of it are missing")


def over(run: Run, row: tuple) -> bool:
    """Whether no row on time can change this result any more."""
    spec = run.setup.spec
    keys, limit = len(spec.group_by), run.mark
    if spec.scope == "partition":
        partition = SourcePartition("in", "t", int(row[spec.group_by.index("site")][0]))
        limit = run.clocks[partition].clock_us(run.setup.tolerance_us)
    limit = max(MIN_US, limit - spec.allowed_lateness_us)
    start, end = row[keys], row[keys + 1]
    if run.setup.kind == "pieces" and start + spec.window.max_length_us <= limit:
        return True
    return end < limit if run.setup.strict else end <= limit


def shifted(wanted: Expected, by: int, keys: int) -> Expected:
    """An answer with every window moved."""
    results = Counter(
        {(*row[:keys], row[keys] + by, row[keys + 1] + by, *row[keys + 2 :]): n for row, n in wanted.results.items()}
    )
    late, missed = (
        {place: (start + by, end + by) for place, (start, end) in lost.items()} for lost in (wanted.late, wanted.missed)
    )
    return Expected(results, late, missed, wanted.rejects, wanted.between, wanted.ahead, wanted.rows)


def _cuts(dice: Dice, count: int) -> list[slice]:
    edges = sorted({0, count, *(dice.randint(0, count) for _ in range(3))})
    return [slice(a, b) for a, b in pairwise(edges)]
