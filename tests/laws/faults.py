"""Faults to plant in the window core, each with a law that has to notice it. Planting is for tests only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from tests.laws import laws, runs

from arrowflow.types import MIN_US, PartitionClock
from arrowflow.windows.aggregates import edges, sums, traces
from arrowflow.windows.kinds import tumbling
from arrowflow.windows.kinds.session import SessionKind
from arrowflow.windows.kinds.whole import Whole
from arrowflow.windows.operator import KeyedWindows
from arrowflow.windows.seats import Hashed
from arrowflow.windows.state import State

Put = Callable[[object, str, object], None]
"""Sets an attribute for the length of a test, as pytest's ``monkeypatch.setattr`` does."""


@dataclass(frozen=True)
class Fault:
    """A wrong implementation of something, and the law, over some kinds, that notices."""

    what: str
    law: str
    kinds: tuple[str, ...]
    plant: Callable[[Put], None]
    aimed: tuple[str, ...] = ()
    """Aggregates the examples are about; any where it is empty."""


def judge_by_the_fastest_partition(put: Put) -> None:
    """Late by the largest clock of all partitions, as where one watermark of the job decides."""
    fold = KeyedWindows.fold

    def wrong(self, batch):
        fastest = max([getattr(self, "fastest", MIN_US), *batch.clock_us.tolist()])
        self.fastest = fastest
        return fold(self, replace(batch, clock_us=np.full(len(batch), fastest)))

    put(KeyedWindows, "fold", wrong)


def close_by(condition: Callable) -> Callable[[Put], None]:
    def plant(put: Put) -> None:
        due = Whole.due

        def wrong(self, held):
            over = condition(held.end_us, held.limit_us)
            return replace(
                due(self, held),
                slot=held.slot[over],
                start_us=held.start_us[over],
                end_us=held.end_us[over],
                gone=held.slot[over],
            )

        put(Whole, "due", wrong)

    return plant


def close_sessions_at_their_end(put: Put) -> None:
    """A row at ``last + gap`` may still come, so the clock has to pass the end."""
    put(SessionKind, "due", Whole.due)


def forget_merges(put: Put) -> None:
    put(State, "_merge", lambda self, into, source: None)


def merge_counts_only(put: Put) -> None:
    for each in (sums.IntegerSum, sums.FloatSum):
        put(each, "merge", lambda self, into, source: None)


def first_words_count(put: Put) -> None:
    restore = KeyedWindows.restore

    def wrong(self, full, deltas):
        restore(self, None, [*deltas[::-1], *([] if full is None else [full])])

    put(KeyedWindows, "restore", wrong)


def tell_no_tombstones(put: Put) -> None:
    delta = KeyedWindows.delta

    def wrong(self):
        table = delta(self)
        return table.filter(pa.array([not gone for gone in table.column("gone").to_pylist()], pa.bool_()))

    put(KeyedWindows, "delta", wrong)


def first_by_arrival(put: Put) -> None:
    keep = edges.keep_edge

    def wrong(slot, valid, event_us, offset, *rest):
        return keep(slot, valid, np.zeros_like(event_us), offset, *rest)

    put(edges, "keep_edge", wrong)


def truncate_towards_zero(put: Put) -> None:
    """What integer division does in most languages before 1970."""
    assign = tumbling.assign_tumbling

    def wrong(event_us, size_us, origin_us, start_us, end_us, fate):
        assign(event_us, size_us, origin_us, start_us, end_us, fate)
        early = (event_us < origin_us) & (fate == 0) & (start_us != event_us)
        start_us[early] += size_us
        end_us[early] += size_us

    put(tumbling, "assign_tumbling", wrong)


def digest_where_panes_sit(put: Put) -> None:
    digest = State.digest
    put(State, "digest", lambda self: f"{digest(self)} {self._seats.used}")


def raise_floors_too_little(put: Put) -> None:
    latest = KeyedWindows._latest
    put(KeyedWindows, "_latest", lambda self, ends: max(MIN_US, latest(self, ends) - 1))


def wake_without_a_floor(put: Put) -> None:
    put(runs, "raise_floor", lambda clock, floor: clock)


def forget_what_may_be_corrected(put: Put) -> None:
    put(KeyedWindows, "_gone", lambda self, due, held: due.gone)


def wait_for_idle_partitions(put: Put) -> None:
    def wrong(clocks, tolerance_us):
        return min((clock.clock_us(tolerance_us) for clock in clocks.values()), default=None)

    put(laws, "watermark_us", wrong)


def clock_from_the_row_itself(put: Put) -> None:
    tick = runs.tick

    def wrong(clock: PartitionClock, event_us, valid, limit_us, tolerance_us):
        ticked = tick(clock, event_us, valid, limit_us, tolerance_us)
        own = np.where(valid & ~ticked.ahead & (event_us >= MIN_US + tolerance_us), event_us - tolerance_us, MIN_US)
        return ticked._replace(clock_us=np.maximum(ticked.clock_us, own))

    put(runs, "tick", wrong)
    put(laws, "tick", wrong)


def keep_ends_where_they_were(put: Put) -> None:
    """Panes that move together without their ends."""
    keep = Hashed.keep

    def wrong(self, slots, key):
        ends = self._end_us.values.copy()
        keep(self, slots, key)
        self._end_us.values[: len(slots)] = ends[: len(slots)]

    put(Hashed, "keep", wrong)


def keep_few_chunks(put: Put) -> None:
    put(traces, "piled", lambda chunks: chunks[-30:])


def drop_what_floats_lose(put: Put) -> None:
    """A sum of doubles as doubles: one rounding too many."""
    finish = sums.FloatSum.finish

    def wrong(self, aggregate, windows):
        array = finish(self, aggregate, windows)
        return array.cast(pa.float32()).cast(pa.float64()) if array.type == pa.float64() else array

    put(sums.FloatSum, "finish", wrong)


PLAIN = ("tumbling", "calendar")
FAULTS = (
    Fault("late by the fastest partition", "one answer", ("tumbling", "hopping"), judge_by_the_fastest_partition),
    Fault("closed a microsecond too late", "one answer", PLAIN, close_by(lambda end, limit: end < limit)),
    Fault("closed a microsecond too early", "one answer", PLAIN, close_by(lambda end, limit: end - 1 <= limit)),
    Fault("sessions closed at their end", "one answer", ("session",), close_sessions_at_their_end),
    Fault("sums not merged", "one answer", ("session", "hopping"), merge_counts_only, ("sum", "mean")),
    Fault("sums rounded twice", "one answer", ("tumbling",), drop_what_floats_lose, ("sum", "mean")),
    Fault("first word on a pane counts", "any crash", ("tumbling", "hopping"), first_words_count),
    Fault("no tombstones", "any crash", ("tumbling", "session"), tell_no_tombstones),
    Fault("first and last by arrival", "permutation", ("tumbling",), first_by_arrival, ("first", "last")),
    Fault("truncation towards zero", "shift", ("tumbling",), truncate_towards_zero),
    Fault("absorbed sessions forgotten", "merge", ("session",), forget_merges),
    Fault("digest of the slots", "digest", ("tumbling", "session"), digest_where_panes_sit),
    Fault("floors too low", "early", ("sliding", "session", "tumbling"), raise_floors_too_little),
    Fault("awake without a floor", "idleness", ("tumbling",), wake_without_a_floor),
    Fault("corrected windows forgotten", "correction", PLAIN, forget_what_may_be_corrected),
    Fault("ends stay behind", "crowd", ("tumbling",), keep_ends_where_they_were),
    Fault(
        "samples fall off a pile", "one by one", ("tumbling", "session"), keep_few_chunks, ("coverage", "counter_delta")
    ),
    Fault("watermark held by idle partitions", "clock", ("tumbling",), wait_for_idle_partitions),
    Fault("clock from the row itself", "clock", ("tumbling",), clock_from_the_row_itself),
)
