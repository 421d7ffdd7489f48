"""Samples in event-time order: grouping, sorting, how long each value holds, exact sums over that. Never rounds.

A sample is a row of four int64: event time, number of the partition, offset, value's bits. Samples of several cells lie
one after another; those of segment g are ``[first[g], first[g + 1])``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

I64x2 = np.ndarray[tuple[int, int], np.dtype[np.int64]]
F64 = np.ndarray[tuple[int], np.dtype[np.float64]]
U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]

EVENT, PARTITION, OFFSET, BITS = 0, 1, 2, 3
SIGNED, UNSIGNED, DOUBLE = 0, 1, 2
"""How the bits of a value are read."""
SEEN_NAN, SEEN_PLUS, SEEN_MINUS = 1, 2, 4
WHOLE_LIMBS, DOUBLE_LIMBS = 6, 70
"""Limbs of 32 bits that hold any sum of integers, or of doubles in multiples of ``2**-1074``, times int64."""

_MAX_US = 2**63 - 1
_LOW32 = 0xFFFFFFFF
_DIGIT = 21
"""Factors are cut into digits of so many bits: a digit times 32 bits stays far inside int64."""
_FRACTION = (1 << 52) - 1
_SIGN = -(2**63)


@njit(
    "int64(int64[::1], boolean[::1], int64[::1], int64[::1], int64[::1], int64, int64[::1], int64[::1], int64[::1],"
    " int64[:, ::1])",
    nogil=True,
    cache=True,
)
def group_samples(
    slot: I64,
    valid: Bool,
    event_us: I64,
    offset: I64,
    bits: I64,
    feeder: int,
    place: I64,
    cells: I64,
    first: I64,
    sample: I64x2,
) -> int:
    """Write the samples of each cell together, in row order: a counting sort over the cells that occur.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False where the value is null: nothing was measured.
    event_us, offset, bits : int64[n]
        Event time in microseconds, offset, value's bits.
    feeder : int64
        Number of the partition all rows come from.
    place : int64[c]
        Scratch, all zero before and after.
    cells, first : int64[n], int64[n + 1]
        Output: cells in order of appearance; the samples of ``cells[g]`` are ``[first[g], first[g + 1])``.
    sample : int64[n, 4]
        Output.

    Returns
    -------
    groups : int64
        How many cells got samples.

    Notes
    -----
    O(n). Oracle: a dict of lists in ``tests/unit/windows/test_traces.py``.
    """
    groups = 0
    for i in range(len(slot)):
        if slot[i] >= 0 and valid[i]:
            if place[slot[i]] == 0:
                cells[groups] = slot[i]
                groups += 1
            place[slot[i]] += 1
    first[0] = 0
    for g in range(groups):
        first[g + 1] = first[g] + place[cells[g]]
        place[cells[g]] = first[g]
    for i in range(len(slot)):
        if slot[i] >= 0 and valid[i]:
            at = place[slot[i]]
            place[slot[i]] = at + 1
            sample[at, EVENT], sample[at, PARTITION] = event_us[i], feeder
            sample[at, OFFSET], sample[at, BITS] = offset[i], bits[i]
    for g in range(groups):
        place[cells[g]] = 0
    return groups


@njit("boolean(int64[:, ::1], int64, int64, int64[::1])", nogil=True, cache=True)
def is_earlier(sample: I64x2, i: int, j: int, rank: I64) -> bool:
    """Whether sample i comes before sample j by (event time, partition, offset).

    Parameters
    ----------
    sample : int64[n, 4]
        Samples.
    i, j : int64
        Which two.
    rank : int64[p]
        Place of each partition number in the order of (source, topic, partition).

    Returns
    -------
    earlier : bool
        False for equal places.
    """
    if sample[i, EVENT] != sample[j, EVENT]:
        return bool(sample[i, EVENT] < sample[j, EVENT])
    left, right = rank[sample[i, PARTITION]], rank[sample[j, PARTITION]]
    if left != right:
        return bool(left < right)
    return bool(sample[i, OFFSET] < sample[j, OFFSET])


@njit("void(int64[:, ::1], int64, int64, int64, int64[::1], int64[:, ::1])", nogil=True, cache=True)
def merge_runs(source: I64x2, begin: int, middle: int, stop: int, rank: I64, target: I64x2) -> None:
    """Merge two ascending runs into one, the left one first where places are equal.

    Parameters
    ----------
    source : int64[n, 4]
        Holds the runs ``[begin, middle)`` and ``[middle, stop)``.
    begin, middle, stop : int64
        Their edges; the second may be empty.
    rank : int64[p]
        Place of each partition number.
    target : int64[n, 4]
        Output: ``[begin, stop)`` is written.
    """
    i, j = begin, middle
    for at in range(begin, stop):
        if i < middle and (j == stop or not is_earlier(source, j, i, rank)):
            take = i
            i += 1
        else:
            take = j
            j += 1
        for k in range(4):
            target[at, k] = source[take, k]


@njit("int64(int64[:, ::1], int64, int64, int64[::1], int64[::1])", nogil=True, cache=True)
def find_runs(sample: I64x2, begin: int, stop: int, rank: I64, edge: I64) -> int:
    """Cut samples into ascending runs.

    Parameters
    ----------
    sample : int64[n, 4]
        Samples.
    begin, stop : int64
        Which of them; at least one.
    rank : int64[p]
        Place of each partition number.
    edge : int64[stop - begin + 1]
        Output: run r is ``[edge[r], edge[r + 1])``.

    Returns
    -------
    runs : int64
        How many there are.
    """
    runs = 1
    edge[0] = begin
    for i in range(begin + 1, stop):
        if is_earlier(sample, i, i - 1, rank):
            edge[runs] = i
            runs += 1
    edge[runs] = stop
    return runs


@njit("void(int64[:, ::1], int64[::1], int64[::1], boolean[::1])", nogil=True, cache=True)
def sort_samples(sample: I64x2, first: I64, rank: I64, moved: Bool) -> None:
    """Bring the samples of each segment into the order of (event time, partition, offset).

    Parameters
    ----------
    sample : int64[n, 4]
        Sorted in place, stable.
    first : int64[m + 1]
        Edges of the segments, ascending.
    rank : int64[p]
        Place of each partition number in the order of (source, topic, partition).
    moved : bool[m]
        Output: false for segments that were in order.

    Notes
    -----
    O(n log r) for r ascending runs in a segment (natural merge sort): samples that come in order cost a comparison each.
    Oracle: ``sorted``.
    """
    widest = 0
    for g in range(len(moved)):
        widest = max(widest, first[g + 1] - first[g])
    edge = np.empty(widest + 1, np.int64)
    spare = np.empty_like(sample)
    for g in range(len(moved)):
        begin, stop = first[g], first[g + 1]
        runs = find_runs(sample, begin, stop, rank, edge) if stop > begin else 0
        moved[g] = runs > 1
        source, target, rounds = sample, spare, 0
        while runs > 1:
            pairs = (runs + 1) // 2
            for pair in range(pairs):
                last = min(2 * pair + 2, runs)
                merge_runs(source, edge[2 * pair], edge[2 * pair + 1], edge[last], rank, target)
                edge[pair] = edge[2 * pair]
            edge[pairs] = stop
            source, target = target, source
            runs, rounds = pairs, rounds + 1
        if rounds % 2 == 1:
            sample[begin:stop] = spare[begin:stop]


@njit("void(int64[:, ::1], int64[::1], int64[::1], int64[::1], int64[::1])", nogil=True, cache=True)
def find_before(sample: I64x2, first: I64, segment: I64, limit_us: I64, found: I64) -> None:
    """Find the last sample before a time in each of some segments, by bisection.

    Parameters
    ----------
    sample : int64[n, 4]
        In order within each segment.
    first : int64[s + 1]
        Edges of the segments.
    segment : int64[m]
        Where to look; -1 for nowhere.
    limit_us : int64[m]
        Only event times below it.
    found : int64[m]
        Output: a place in `sample`, or -1.

    Notes
    -----
    O(m log n). Oracle: ``tests/oracles/traces.py::last_before``.
    """
    for w in range(len(segment)):
        found[w] = -1
        if segment[w] < 0:
            continue
        begin = first[segment[w]]
        low, high = begin, first[segment[w] + 1]
        while low < high:
            middle = (low + high) // 2
            if sample[middle, EVENT] < limit_us[w]:
                low = middle + 1
            else:
                high = middle
        if low > begin:
            found[w] = low - 1


@njit("int64(int64, int64)", nogil=True, cache=True)
def expiry_us(event_us: int, carry_us: int) -> int:
    """Say from when on a value is no longer known.

    Parameters
    ----------
    event_us : int64
        When it was measured.
    carry_us : int64
        How long it is known, not negative; the largest int64 stands for ever.

    Returns
    -------
    expiry : int64
        Microseconds; saturates.
    """
    if carry_us == _MAX_US or event_us > _MAX_US - carry_us:
        return _MAX_US
    return event_us + carry_us


@njit("void(int64[:, ::1], int64[::1], int64[::1], int64[::1], int64, int64[::1], int64[::1])", nogil=True, cache=True)
def hold_samples(
    sample: I64x2, first: I64, start_us: I64, end_us: I64, carry_us: int, held_us: I64, known_us: I64
) -> None:
    """Work out how long each value holds inside its window: until the next sample, its expiry or the window's end.

    Parameters
    ----------
    sample : int64[n, 4]
        In order within each segment; a segment may begin with one from before its window.
    first : int64[m + 1]
        Edges of the segments, one per window.
    start_us, end_us : int64[m]
        The windows.
    carry_us : int64
        How long a value is known; the largest int64 stands for ever.
    held_us : int64[n]
        Output: microseconds, never negative.
    known_us : int64[m]
        Output: their sum per window, at most its length.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/traces.py::holds``.
    """
    for w in range(len(known_us)):
        known_us[w] = 0
        for i in range(first[w], first[w + 1]):
            begin = max(sample[i, EVENT], start_us[w])
            until = min(end_us[w], expiry_us(sample[i, EVENT], carry_us))
            if i + 1 < first[w + 1]:
                until = min(until, sample[i + 1, EVENT])
            # Compared first: an expired value may lie further back than int64 can subtract.
            held_us[i] = until - begin if until > begin else 0
            known_us[w] += held_us[i]


@njit("void(boolean[::1], int64[::1], int64[::1], int64[::1])", nogil=True, cache=True)
def sum_held(hit: Bool, held_us: I64, first: I64, total_us: I64) -> None:
    """Add up how long the values that were asked for held.

    Parameters
    ----------
    hit : bool[n]
        Which samples count.
    held_us : int64[n]
        How long each holds.
    first : int64[m + 1]
        Edges of the segments.
    total_us : int64[m]
        Output: the sum per segment.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/traces.py::time_in_state``.
    """
    for w in range(len(total_us)):
        total_us[w] = 0
        for i in range(first[w], first[w + 1]):
            if hit[i]:
                total_us[w] += held_us[i]


@njit("void(int64[:, ::1], int64, int64, int64, int64)", nogil=True, cache=True)
def add_piece(limbs: I64x2, row: int, sign: int, product: int, place: int) -> None:
    """Add ``sign * product * 2**place`` to one sum.

    Parameters
    ----------
    limbs : int64[m, w]
        Sums in limbs of 32 bits, carries kept for later; changed in place.
    row : int64
        Which sum.
    sign : int64
        1 or -1.
    product : int64
        In ``[0, 2**54)``.
    place : int64
        Bits above the lowest limb.
    """
    c, shift = place >> 5, place & 31
    low, high = (product & _LOW32) << shift, (product >> 32) << shift
    limbs[row, c] += sign * (low & _LOW32)
    limbs[row, c + 1] += sign * ((low >> 32) + (high & _LOW32))
    limbs[row, c + 2] += sign * (high >> 32)


@njit("uint8(int64[:, ::1], int64, int64, int64, int64, boolean)", nogil=True, cache=True)
def add_value(limbs: I64x2, row: int, kind: int, bits: int, factor: int, negate: bool) -> int:
    """Add ``value * factor`` to one sum, exactly, or say why that is no number.

    Parameters
    ----------
    limbs : int64[m, w]
        Sums in limbs of 32 bits: of integers, or of doubles in multiples of ``2**-1074``; changed in place.
    row : int64
        Which sum.
    kind : int64
        `SIGNED`, `UNSIGNED` or `DOUBLE`.
    bits : int64
        The value.
    factor : int64
        Not negative.
    negate : bool
        Whether to subtract instead.

    Returns
    -------
    flag : uint8
        0, or `SEEN_NAN`, `SEEN_PLUS`, `SEEN_MINUS`; then nothing was added.

    Notes
    -----
    Fewer than 2**26 additions per sum between two carries, or a limb may overflow.
    """
    negative, place = bits < 0 and kind != UNSIGNED, 0
    if kind == DOUBLE:
        exponent = (bits >> 52) & 0x7FF
        if exponent == 0x7FF:
            if bits & _FRACTION != 0:
                return SEEN_NAN
            return SEEN_MINUS if negative else SEEN_PLUS
        magnitude = bits & _FRACTION if exponent == 0 else (bits & _FRACTION) | (1 << 52)
        place = max(exponent, 1) - 1
        low, high = magnitude & _LOW32, magnitude >> 32
    elif negative:
        # -bits would not fit for the least int64; low may be 2**32 here, which has room.
        low, high = (~bits & _LOW32) + 1, ~bits >> 32
    else:
        low, high = bits & _LOW32, (bits >> 32) & _LOW32
    sign = -1 if negative != negate else 1
    while factor != 0:
        digit = factor & ((1 << _DIGIT) - 1)
        add_piece(limbs, row, sign, low * digit, place)
        add_piece(limbs, row, sign, high * digit, place + 32)
        factor >>= _DIGIT
        place += _DIGIT
    return 0


@njit("void(int64[:, ::1])", nogil=True, cache=True)
def carry_limbs(limbs: I64x2) -> None:
    """Bring all limbs but the last into ``[0, 2**32)``; the sign ends up in the last.

    Parameters
    ----------
    limbs : int64[m, w]
        Sums, changed in place; their values stay the same.

    Notes
    -----
    O(m * w). Oracle: integer arithmetic in ``tests/unit/windows/test_traces.py``.
    """
    for row in range(limbs.shape[0]):
        for c in range(limbs.shape[1] - 1):
            carry = limbs[row, c] >> 32
            limbs[row, c] -= carry << 32
            limbs[row, c + 1] += carry


@njit("void(int64[:, ::1], int64[::1], int64[::1], int64, int64[:, ::1], uint8[::1])", nogil=True, cache=True)
def weigh_samples(sample: I64x2, held_us: I64, first: I64, kind: int, limbs: I64x2, flags: U8) -> None:
    """Sum ``value * time held`` per window, exactly; values held for no time count for nothing.

    Parameters
    ----------
    sample : int64[n, 4]
        Samples.
    held_us : int64[n]
        How long each value holds.
    first : int64[m + 1]
        Edges of the segments.
    kind : int64
        `SIGNED`, `UNSIGNED` or `DOUBLE`.
    limbs : int64[m, w]
        Output, zero before: the sums, carried; w is `WHOLE_LIMBS` or `DOUBLE_LIMBS`.
    flags : uint8[m]
        Output, zero before: `SEEN_NAN`, `SEEN_PLUS`, `SEEN_MINUS`.

    Notes
    -----
    O(n). Fewer than 2**26 samples per window. Oracle: ``tests/oracles/traces.py::time_weighted_mean``.
    """
    for w in range(len(flags)):
        for i in range(first[w], first[w + 1]):
            if held_us[i] > 0:
                flags[w] |= add_value(limbs, w, kind, sample[i, BITS], held_us[i], False)
    carry_limbs(limbs)


@njit(
    "void(int64[:, ::1], int64[::1], int64, boolean, int64, int64, int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def count_whole(
    sample: I64x2,
    first: I64,
    carry_us: int,
    unsigned: bool,
    modulus_high: int,
    modulus_low: int,
    high: I64,
    low: I64,
    pairs: I64,
) -> None:
    """Sum the increments of a counter of integers, exactly.

    Parameters
    ----------
    sample : int64[n, 4]
        Readings in order within each segment; the first may be from before the window.
    first : int64[m + 1]
        Edges of the segments.
    carry_us : int64
        A reading later than this after the one before starts afresh; the largest int64 stands for ever.
    unsigned : bool
        Whether readings are uint64.
    modulus_high, modulus_low : int64
        ``modulus_high * 2**32 + modulus_low`` is where the counter rolls over; zero for one that is reset.
    high, low : int64[m]
        Output: the sum is ``high * 2**32 + low`` with ``0 <= low < 2**32``.
    pairs : int64[m]
        Output: how many increments there were.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/traces.py::counter_delta``.
    """
    flip = _SIGN if unsigned else 0
    rolls = modulus_high != 0 or modulus_low != 0
    for w in range(len(pairs)):
        upper, lower, pairs[w] = 0, 0, 0
        for i in range(first[w] + 1, first[w + 1]):
            if sample[i, EVENT] >= expiry_us(sample[i - 1, EVENT], carry_us):
                continue
            old, new = sample[i - 1, BITS], sample[i, BITS]
            pairs[w] += 1
            upper += (new >> 32) & _LOW32 if unsigned else new >> 32
            lower += new & _LOW32
            falls = (new ^ flip) < (old ^ flip)
            if rolls or not falls:
                upper -= (old >> 32) & _LOW32 if unsigned else old >> 32
                lower -= old & _LOW32
            if rolls and falls:
                upper += modulus_high
                lower += modulus_low
        high[w], low[w] = upper + (lower >> 32), lower & _LOW32


@njit(
    "void(int64[:, ::1], float64[::1], int64[::1], int64, int64, int64[:, ::1], uint8[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def count_doubles(
    sample: I64x2, reading: F64, first: I64, carry_us: int, modulus: int, limbs: I64x2, flags: U8, pairs: I64
) -> None:
    """Sum the increments of a counter of doubles, exactly.

    Parameters
    ----------
    sample : int64[n, 4]
        Readings in order within each segment; the first may be from before the window.
    reading : float64[n]
        Their values once more, as doubles.
    first : int64[m + 1]
        Edges of the segments.
    carry_us : int64
        A reading later than this after the one before starts afresh; the largest int64 stands for ever.
    modulus : int64
        Bits of the double where the counter rolls over; those of 0.0 for one that is reset.
    limbs : int64[m, 70]
        Output, zero before: the sums in multiples of ``2**-1074``, carried.
    flags : uint8[m]
        Output, zero before: `SEEN_NAN` where a reading of a pair is NaN or infinite.
    pairs : int64[m]
        Output: how many increments there were.

    Notes
    -----
    O(n). Fewer than 2**24 samples per window. Oracle: ``tests/oracles/traces.py::counter_delta``.
    """
    for w in range(len(pairs)):
        pairs[w] = 0
        for i in range(first[w] + 1, first[w + 1]):
            if sample[i, EVENT] >= expiry_us(sample[i - 1, EVENT], carry_us):
                continue
            pairs[w] += 1
            if not (math.isfinite(reading[i - 1]) and math.isfinite(reading[i])):
                flags[w] = SEEN_NAN
                continue
            falls = reading[i] < reading[i - 1]
            add_value(limbs, w, DOUBLE, sample[i, BITS], 1, False)
            if modulus != 0 or not falls:
                add_value(limbs, w, DOUBLE, sample[i - 1, BITS], 1, True)
            if modulus != 0 and falls:
                add_value(limbs, w, DOUBLE, modulus, 1, False)
    carry_limbs(limbs)
