"""The ordered aggregates: samples are kept as they came and put into event-time order when somebody looks.

So a row is on time for all aggregates of its window or for none, and the order of arrival never matters. What they
mean is in docs/industrial-aggregates.md. Interpolates nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.errors import PromiseBroken
from arrowflow.types import I64, Bool
from arrowflow.windows.aggregates.accumulator import Before, Slice, Windows
from arrowflow.windows.aggregates.fixed import divide
from arrowflow.windows.aggregates.sums import TINY
from arrowflow.windows.arrays import Array, Field, Numbers, ready
from arrowflow.windows.columns import array_of, bits_of
from arrowflow.windows.feeders import FEEDER, Feeders
from arrowflow.windows.functions import is_float, is_text
from arrowflow.windows.kernels.traces import (
    BITS,
    DOUBLE,
    DOUBLE_LIMBS,
    EVENT,
    OFFSET,
    PARTITION,
    SEEN_MINUS,
    SEEN_NAN,
    SEEN_PLUS,
    SIGNED,
    UNSIGNED,
    WHOLE_LIMBS,
    count_doubles,
    count_whole,
    find_before,
    group_samples,
    hold_samples,
    sort_samples,
    sum_held,
    weigh_samples,
)
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import Plan, PlannedAccumulator, PlannedAggregate

FOR_EVER = 2**63 - 1
"""How long a value is known where `carry_for` is not given."""

_CARRY_AT: Mapping[str, int] = MappingProxyType(
    {"time_weighted_mean": 0, "coverage": 0, "time_in_state": 1, "counter_delta": 1}
)
_SECOND_US = 1_000_000
_EXACT_FLOAT = 2**53
_LOW32 = 0xFFFFFFFF
Chunk: TypeAlias = "bytes | tuple[object, ...]"
_WIDTH = 32
"""Bytes of one sample."""
_PILE = 32
"""A cell with more chunks than this gets the small ones piled into one; the time per sample grows with the logarithm."""
_OUTWEIGHS = 8
_BLOCK = 4096
"""Windows whose exact sums of doubles are worked out at once: 560 bytes each."""


def carry_us(aggregate: PlannedAggregate) -> int:
    """How long a value is known to this aggregate after it was measured, in µs; `FOR_EVER` where nothing limits it."""
    place = _CARRY_AT[aggregate.function]
    given = aggregate.arguments[place] if place < len(aggregate.arguments) else None
    if given is None:
        return FOR_EVER
    assert isinstance(given, int), f"{aggregate.name!r}: carry_for is {given!r}, not a number of µs"
    return given


def carry_for_us(plan: Plan) -> int | None:
    """How long before the clock a sample may lie and still be looked back to; None where nothing limits it."""
    carried = [carry_us(each) for each in plan.aggregates if each.family == "ordered"]
    longest = plan.window.longest_us
    if not carried or FOR_EVER in carried:
        return None
    return min(FOR_EVER, max(carried) + longest)


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of several groups, in order of (event time, source, topic, partition, offset) within each.

    Parameters
    ----------
    group : int64[g]
        The groups, ascending, each once.
    first : int64[g + 1]
        Samples of ``group[i]`` are ``[first[i], first[i + 1])``; there may be none.
    rows : int64[n, 4]
        Event time, number of the partition, offset, value's bits; for a column of strings the bits mean nothing.
    text : object[n] or None
        The strings of such a column.
    """

    group: I64
    first: I64
    rows: Numbers
    text: Numbers | None

    @property
    def bits(self) -> I64:
        """int64[n], the values' bits in one piece."""
        return np.ascontiguousarray(self.rows[:, BITS])

    def led_by(self, before: Before | None) -> Samples:
        """The same with the value known before each group, if any, as its first sample; partition and offset 0."""
        if before is None or not before.known.any():
            return self
        known = np.flatnonzero(before.known)
        at = self.first[:-1][known]
        leading = np.zeros((len(known), self.rows.shape[1]), np.int64)
        leading[:, EVENT] = before.event_us[known]
        text = None
        if self.text is None:
            leading[:, BITS] = before.bits[known]
        else:
            assert before.text is not None, "a column of strings needs the string known before"
            text = np.insert(self.text, at, before.text[known])
        first = self.first + np.concatenate([[0], np.cumsum(before.known)])
        return Samples(self.group, first, np.insert(self.rows, at, leading, axis=0), text)


class Trace:
    """All samples of one column per pane; nulls are skipped, as nothing was measured.

    A lane holds, per pane, a tuple of chunks, each the bytes of int64[k, 4]: nothing in it can change, and many small
    ones are joined faster than arrays. A column of strings has tuples of them in a second lane, chunk by chunk.
    Looking at a pane leaves it with one chunk in order, so that the next look is cheap.
    """

    def __init__(self, planned: PlannedAccumulator, feeders: Feeders) -> None:
        self._column, self._type, self._feeders = planned.column, planned.type, feeders
        self._is_text = is_text(planned.type)
        self._held, self._text = Lane(object, None), Lane(object, None)
        self.lanes = (self._held, self._text) if self._is_text else (self._held,)
        self.fields = (pa.field(f"{planned.name}.samples", pa.list_(pa.struct(sample_fields(planned.type)))),)
        self._place: I64 = np.zeros(0, np.int64)

    # ---- taking in --------------------------------------------------------------------------------------

    def fold(self, rows: Slice) -> None:
        n = len(rows.slot)
        # Twice the room, so that it is not made anew for each pane that opens.
        if len(self._place) < rows.panes:
            self._place = np.zeros(max(16, 2 * rows.panes), np.int64)
        cells, first, sample = np.empty(n, np.int64), np.empty(n + 1, np.int64), np.empty((n, 4), np.int64)
        bits = np.arange(n, dtype=np.int64) if self._is_text else rows.columns.bits(self._column)
        valid = rows.columns.valid(self._column)
        groups = group_samples(
            rows.slot, valid, rows.event_us, rows.offset, bits, rows.feeder, self._place, cells, first, sample
        )
        sample, text = sample[: first[groups]], None
        if self._is_text:
            text = texts_of(rows.columns.array(self._column))[sample[:, BITS]]
            sample[:, BITS] = 0
        for lane, chunks in self._cut(first[: groups + 1], sample, text):
            for cell, chunk in zip(cells[:groups].tolist(), chunks, strict=True):
                held = lane[cell]
                lane[cell] = (chunk,) if held is None else piled((*held, chunk))

    def merge(self, into: I64, source: I64) -> None:
        for lane in self.lanes:
            held = lane.values
            for to, come in zip(into.tolist(), source.tolist(), strict=True):
                if held[come] is not None:
                    held[to] = piled((*(held[to] or ()), *held[come]))

    def keep_latest(self, slots: I64) -> None:
        """Drop all samples of `slots` but the last; a blank slot stays blank."""
        kept = self._settle(slots)
        some = np.flatnonzero(np.diff(kept.first))
        last = kept.first[1:][some] - 1
        text = None if kept.text is None else kept.text[last]
        self._replace(slots[some], np.arange(len(some) + 1), kept.rows[last], text)

    # ---- looking at it ----------------------------------------------------------------------------------

    def latest(self, slots: I64) -> Before:
        """The last sample of each slot; not known where a slot is blank."""
        held = self._settle(slots)
        return self._picked(held, np.where(np.diff(held.first) > 0, held.first[1:] - 1, -1))

    def gather(self, slots: I64, group: I64) -> Samples:
        """All samples of `slots` by group and in order; several slots may share one group number."""
        held = self._settle(slots)
        size = np.diff(held.first)
        began = np.full(len(slots), FOR_EVER, np.int64)
        began[size > 0] = held.rows[held.first[:-1][size > 0], EVENT]
        # Panes of one key lie side by side in time: put in that order, their samples are in order already.
        order = np.lexsort((began, group))
        groups, opens = np.unique(group[order], return_index=True)
        edge = np.concatenate([[0], np.cumsum(size[order])])
        row = within(held.first, order)
        text = None if held.text is None else held.text[row]
        rows = np.ascontiguousarray(held.rows[row])
        return self._sorted(groups, edge[[*opens, len(order)]], rows, text)[0]

    def before(
        self, window_group: I64, window_start_us: I64, slots: I64, group: I64, *, at_start: bool = False
    ) -> Before:
        """The last sample before each of m windows.

        Parameters
        ----------
        window_group, window_start_us : int64[m]
            Key number and start of each window.
        slots, group : int64[s]
            Where to look, each slot once: open panes and the carry slots of these keys, with their key numbers.
        at_start : bool
            Whether a sample exactly at the start is before the window, as it is for windows open on the left.

        Returns
        -------
        before : Before
            Known where any sample came before, however long ago: `finish` lets it expire, for each aggregate by its
            own `carry_for`.
        """
        held = self.gather(slots, group)
        segment = np.searchsorted(held.group, window_group)
        missing = segment == len(held.group)
        segment[missing] = 0
        if len(held.group):
            missing |= held.group[segment] != window_group
        segment[missing] = -1
        found = np.empty(len(segment), np.int64)
        limit_us = ready(window_start_us + 1 if at_start else window_start_us, np.int64)
        find_before(held.rows, held.first, segment, limit_us, found)
        return self._picked(held, found)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        assert aggregate.accumulator is not None
        held = self._settle(windows.slot).led_by(windows.before.get(aggregate.accumulator.name))
        if aggregate.function == "counter_delta":
            return self._counted(aggregate, held, windows)
        held_us, known_us = np.empty(len(held.rows), np.int64), np.empty(len(windows.slot), np.int64)
        start_us, end_us = ready(windows.start_us, np.int64), ready(windows.end_us, np.int64)
        hold_samples(held.rows, held.first, start_us, end_us, carry_us(aggregate), held_us, known_us)
        match aggregate.function:
            case "coverage":
                return pa.array(quotients(known_us, np.maximum(end_us - start_us, 1)), pa.float64())
            case "time_in_state":
                total_us = np.empty(len(known_us), np.int64)
                sum_held(self._is_state(held, aggregate.arguments[0]), held_us, held.first, total_us)
                seconds = quotients(total_us, np.full(len(total_us), _SECOND_US))
                return pa.array(seconds, pa.float64(), mask=np.asarray(known_us == 0))
            case "time_weighted_mean":
                return self._weighed(held, held_us, known_us)
            case _:
                raise AssertionError(f"no ordered aggregate is called {aggregate.function!r}")

    # ---- the table of the state -------------------------------------------------------------------------

    def dump(self, slots: I64) -> list[Array]:
        held = self._settle(slots)
        rows = held.rows
        value = array_of(held.bits, np.ones(len(rows), np.bool_), self._type)
        if held.text is not None:
            value = pa.array(held.text.tolist(), self._type)
        columns = [
            pa.array(rows[:, EVENT], pa.int64()),
            self._feeders.array(rows[:, PARTITION]),
            pa.array(rows[:, OFFSET], pa.int64()),
            value,
        ]
        samples = pa.StructArray.from_arrays(columns, fields=sample_fields(self._type))
        return [pa.ListArray.from_arrays(pa.array(held.first, pa.int32()), samples, type=self.fields[0].type)]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        lists = columns[0]
        assert isinstance(lists, pa.ListArray)
        size = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        samples = lists.flatten()
        assert isinstance(samples, pa.StructArray)
        event_us, feeder, offset, value = (samples.field(i) for i in range(4))
        rows = np.zeros((len(samples), 4), np.int64)
        rows[:, EVENT], rows[:, OFFSET] = bits_of(event_us), bits_of(offset)
        rows[:, PARTITION] = self._feeders.read(feeder)
        text = texts_of(value) if self._is_text else None
        if text is None:
            rows[:, BITS] = bits_of(value)
        first = np.concatenate([[0], np.cumsum(size, dtype=np.int64)])
        for lane in self.lanes:
            lane.values[slots] = None
        some = np.flatnonzero(size)
        self._replace(slots[some], np.append(first[:-1][some], len(rows)), rows, text)

    # ---- inside -----------------------------------------------------------------------------------------

    def _cut(self, first: I64, rows: Numbers, text: Numbers | None) -> Iterator[tuple[Numbers, Iterator[Chunk]]]:
        """Each lane with one chunk per segment of `rows`; no chunk keeps another alive."""
        edges = first.tolist()
        data = np.ascontiguousarray(rows).tobytes()
        yield self._held.values, (data[a * _WIDTH : b * _WIDTH] for a, b in pairwise(edges))
        if text is not None:
            texts = text.tolist()
            yield self._text.values, (tuple(texts[a:b]) for a, b in pairwise(edges))

    def _replace(self, slots: I64, first: I64, rows: Numbers, text: Numbers | None) -> None:
        """Let each slot hold just its segment of `rows`."""
        for lane, chunks in self._cut(first, rows, text):
            for slot, chunk in zip(slots.tolist(), chunks, strict=True):
                lane[slot] = (chunk,)

    def _settle(self, slots: I64) -> Samples:
        """The samples of each slot in order, one group per slot in the order given; the slots keep them so."""
        held = self._held.values[slots].tolist()
        data = bytearray().join(chain.from_iterable(filter(None, held)))
        rows = np.ndarray((len(data) // _WIDTH, 4), np.int64, data)
        size = np.array([sum(map(len, chunks)) if chunks else 0 for chunks in held], np.int64) // _WIDTH
        text = None
        if self._is_text:
            texts = filter(None, self._text.values[slots].tolist())
            text = objects([*chain.from_iterable(chain.from_iterable(texts))])
        first = np.concatenate([[0], np.cumsum(size, dtype=np.int64)])
        settled, moved = self._sorted(np.arange(len(slots)), first, rows, text)
        many = np.array([chunks is not None and len(chunks) > 1 for chunks in held], np.bool_)
        changed = np.flatnonzero(many | moved)
        if len(changed):
            row = within(first, changed)
            edge = np.concatenate([[0], np.cumsum(size[changed])])
            changed_text = None if settled.text is None else settled.text[row]
            self._replace(slots[changed], edge, settled.rows[row], changed_text)
        return settled

    def _sorted(self, group: I64, first: I64, rows: Numbers, text: Numbers | None) -> tuple[Samples, Bool]:
        """Sort the samples of each group, `rows` in place, and say which groups were not in order."""
        first, moved = ready(first, np.int64), np.empty(len(group), np.bool_)
        if text is not None:
            rows[:, BITS] = np.arange(len(rows))
        sort_samples(rows, first, self._feeders.rank, moved)
        if text is not None:
            text = text[rows[:, BITS]]
            rows[:, BITS] = 0
        return Samples(group, first, rows, text), moved

    def _picked(self, held: Samples, found: I64) -> Before:
        """Single samples as what is known before a window; -1 for none."""
        known = found >= 0
        rows = np.zeros((len(found), 4), np.int64)
        rows[known] = held.rows[found[known]]
        text = None
        if held.text is not None:
            text = np.full(len(found), None, object)
            text[known] = held.text[found[known]]
        return Before(rows[:, EVENT].copy(), rows[:, BITS].copy(), np.asarray(known), text)

    def _is_state(self, held: Samples, state: object) -> Bool:
        """Which samples hold the value `state`; -0.0 and 0.0 are one state, NaN is none."""
        if held.text is not None:
            return ready(held.text == state, np.bool_)
        wanted = bits_of(pa.array([state], self._type))
        if is_float(self._type):
            return ready(held.bits.view(np.float64) == wanted.view(np.float64), np.bool_)
        return ready(held.bits == wanted, np.bool_)

    @property
    def _kind(self) -> int:
        if is_float(self._type):
            return DOUBLE
        return UNSIGNED if pa.types.is_uint64(self._type) else SIGNED

    def _weighed(self, held: Samples, held_us: I64, known_us: I64) -> Array:
        """Σ value · time / Σ time, each an exact integer until the one rounding."""
        kind, out = self._kind, np.empty(len(known_us), np.float64)
        width, tiny = (DOUBLE_LIMBS, TINY) if kind == DOUBLE else (WHOLE_LIMBS, 0)
        for part in blocks(len(known_us)):
            first = ready(held.first[part.start : part.stop + 1])
            limbs, flags = np.zeros((len(first) - 1, width), np.int64), np.zeros(len(first) - 1, np.uint8)
            weigh_samples(held.rows, held_us, first, kind, limbs, flags)
            time = np.maximum(known_us[part], 1).tolist()
            out[part] = [divide(total, us << tiny) for total, us in zip(integers_of(limbs), time, strict=True)]
            out[part][flags == SEEN_PLUS] = np.inf
            out[part][flags == SEEN_MINUS] = -np.inf
            out[part][(flags & SEEN_NAN != 0) | (flags == SEEN_PLUS | SEEN_MINUS)] = np.nan
        return pa.array(out, pa.float64(), mask=np.asarray(known_us == 0), from_pandas=False)

    def _counted(self, aggregate: PlannedAggregate, held: Samples, windows: Windows) -> Array:
        modulus = aggregate.arguments[0] if aggregate.arguments else None
        if self._kind == DOUBLE:
            assert modulus is None or isinstance(modulus, int | float)
            return self._count_doubles(held, carry_us(aggregate), float(modulus or 0))
        assert modulus is None or isinstance(modulus, int)
        return self._count_whole(held, carry_us(aggregate), modulus or 0, windows)

    def _count_whole(self, held: Samples, carry: int, modulus: int, windows: Windows) -> Array:
        high, low, pairs = (np.empty(len(windows.slot), np.int64) for _ in range(3))
        unsigned = self._kind == UNSIGNED
        count_whole(held.rows, held.first, carry, unsigned, modulus >> 32, modulus & _LOW32, high, low, pairs)
        # high * 2**32 + low fits into int64 exactly when high is in [-2**31, 2**31).
        wrong = np.flatnonzero((high < -(2**31)) | (high >= 2**31))
        if len(wrong):
            i = int(wrong[0])
            raise PromiseBroken(
                f"counter_delta of {self._column!r} is {(int(high[i]) << 32) + int(low[i])} in {windows.place(i)}: it "
                "does not fit into int64, which is what the result column holds; make windows smaller or look for "
                "readings no counter gives"
            )
        return pa.array((high << 32) + low, pa.int64(), mask=np.asarray(pairs == 0))

    def _count_doubles(self, held: Samples, carry: int, modulus: float) -> Array:
        m, bits = len(held.first) - 1, held.bits
        out, pairs = np.empty(m, np.float64), np.empty(m, np.int64)
        pattern = int(np.float64(modulus).view(np.int64))
        for part in blocks(m):
            first = ready(held.first[part.start : part.stop + 1])
            limbs, flags = np.zeros((len(first) - 1, DOUBLE_LIMBS), np.int64), np.zeros(len(first) - 1, np.uint8)
            count_doubles(held.rows, bits.view(np.float64), first, carry, pattern, limbs, flags, pairs[part])
            out[part] = [divide(total, 1 << TINY) for total in integers_of(limbs)]
            out[part][flags != 0] = np.nan
        return pa.array(out, pa.float64(), mask=np.asarray(pairs == 0), from_pandas=False)


def sample_fields(kind: pa.DataType) -> list[Field]:
    """What the state tells of one sample of type `kind`."""
    place = [pa.field("event_us", pa.int64()), pa.field("feeder", FEEDER), pa.field("offset", pa.int64())]
    return [*place, pa.field("value", kind)]


def piled(chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    """The same samples in at most a few chunks; looks at lengths only, so that lanes side by side stay so."""
    if len(chunks) <= _PILE:
        return chunks
    at, size = len(chunks) - 1, len(chunks[-1])
    while at > 0 and len(chunks[at - 1]) <= _OUTWEIGHS * size:
        at -= 1
        size += len(chunks[at])
    tail = chunks[at:]
    packed = [chunk for chunk in tail if isinstance(chunk, bytes)]
    return (*chunks[:at], b"".join(packed) if packed else tuple(chain.from_iterable(tail)))


def within(first: I64, segments: I64) -> I64:
    """The rows of some segments, one segment after the other."""
    size = first[segments + 1] - first[segments]
    edge = np.cumsum(size)
    return np.repeat(first[segments] - edge + size, size) + np.arange(size.sum())


def objects(values: list[object]) -> Numbers:
    """object[n] of Python objects, whatever they are."""
    return np.array([*values, None], object)[:-1]


def texts_of(column: Array) -> Numbers:
    """object[n], the strings of a column, equal ones as one object; None where null."""
    coded = column.dictionary_encode()
    plain = np.array([*coded.dictionary.to_pylist(), None], object)
    codes = coded.indices.fill_null(len(plain) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(plain[codes])


def blocks(count: int) -> Iterator[slice]:
    """`count` windows in blocks, so that memory for exact sums stays bounded."""
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))


def integers_of(limbs: Numbers) -> list[int]:
    """Sums in carried limbs of 32 bits as integers."""
    width = limbs.shape[1] - 1
    data, step = limbs[:, :-1].astype("<u4").tobytes(), 4 * width
    return [
        int.from_bytes(data[row * step : (row + 1) * step], "little") + (top << (8 * step))
        for row, top in enumerate(limbs[:, -1].tolist())
    ]


def quotients(numerator: I64, denominator: I64) -> Numbers:
    """Correctly rounded quotients of integers, which are not negative and positive."""
    out = numerator / denominator
    # Integers beyond 2**53 would be rounded before they are divided.
    for i in np.flatnonzero((numerator > _EXACT_FLOAT) | (denominator > _EXACT_FLOAT)).tolist():
        out[i] = int(numerator[i]) / int(denominator[i])
    return np.asarray(out)
