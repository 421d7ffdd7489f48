"""Open addressing over pairs of 64-bit patterns, and rows straight to their panes. Never compares values, only bits.

Products of 32-bit halves cannot overflow 64 bits, so the hash needs no wrap-around and is the same with and
without the JIT.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64

U64 = np.ndarray[tuple[int], np.dtype[np.uint64]]
I8 = np.ndarray[tuple[int], np.dtype[np.int8]]
I32 = np.ndarray[tuple[int], np.dtype[np.int32]]
U64x3 = np.ndarray[tuple[int, int], np.dtype[np.uint64]]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_C1 = np.uint64(0x9E3779B1)
_C2 = np.uint64(0x85EBCA77)
_C3 = np.uint64(0xC2B2AE3D)
_C4 = np.uint64(0x27D4EB2F)
_C5 = np.uint64(0x165667B1)
_C6 = np.uint64(0xD6E8FEB9)
_GONE = np.uint64(2**64 - 1)

KEY_BITS = 40
"""The left part of a pane is its key, and above these bits how many windows its rows have missed."""
FIELDS = 5
"""What is known of a pane: its start and end, the ends of the first and the last window over it, and from which clock on
rows have missed the first."""
_BLOCK, _FIRST = 1024, 32
"""Rows between two looks at which pane most rows are in, small enough for the first cache; and before the first look."""
_MAX_US = 2**63 - 1
_MIN_US = -(2**63)


@njit("uint64(uint64, uint64)", nogil=True, cache=True)
def hash_pair(left: np.uint64, right: np.uint64) -> np.uint64:
    """Mix two bit patterns into one; equal across machines, not a digest.

    Parameters
    ----------
    left, right : uint64
        Any bits.

    Returns
    -------
    hash : uint64
        Its low bits are well mixed.
    """
    mixed = ((left & _LOW) * _C1) ^ ((left >> _HALF) * _C2) ^ ((right & _LOW) * _C3) ^ ((right >> _HALF) * _C4)
    mixed = mixed ^ (mixed >> _HALF)
    mixed = ((mixed & _LOW) * _C5) ^ ((mixed >> _HALF) * _C6)
    return mixed ^ (mixed >> _HALF)


@njit("uint64(uint64, uint64, int32[::1], uint64[::1], uint64[::1])", nogil=True, cache=True)
def probe_pair(left: np.uint64, right: np.uint64, index: I32, known_left: U64, known_right: U64) -> np.uint64:
    """Walk the hash table to the place of a pair, or to the free place where it belongs.

    Parameters
    ----------
    left, right : uint64
        The pair.
    index, known_left, known_right : int32[s], uint64[c], uint64[c]
        As in `intern_pairs`.

    Returns
    -------
    at : uint64
        Place in `index`.
    """
    mask = np.uint64(len(index) - 1)
    at: np.uint64 = hash_pair(left, right) & mask
    while index[at] >= 0 and not (known_left[index[at]] == left and known_right[index[at]] == right):
        at = (at + _ONE) & mask
    return at


@njit(
    "Tuple((int64, int64))(uint64[::1], uint64[::1], int8[::1], int64, int64, int64[::1], int64[::1],"
    " uint64[:, ::1], int32[::1], uint64[::1], uint64[::1])",
    nogil=True,
    cache=True,
)
def intern_pairs(
    left: U64,
    right: U64,
    fate: I8,
    begin: int,
    used: int,
    identity: I64,
    born: I64,
    near: U64x3,
    index: I32,
    known_left: U64,
    known_right: U64,
) -> tuple[int, int]:
    """Give each pair a dense number, new ones the next free, until there is no room.

    Parameters
    ----------
    left, right : uint64[n]
        The pairs.
    fate : int8[n]
        Rows other than 0 get -1 and leave no trace.
    begin, used : int64
        Row to begin at, and how many pairs are known.
    identity, born : int64[n], int64[c]
        Output: number of each pair from `begin` to the row returned; for a new number, the row that brought it.
    near : uint64[h, 3]
        Per left part, modulo h (a power of two), the pair met last and its number, in one line of memory; changed in
        place. A blank line holds a left part that no row has.
    index : int32[s]
        The hash table: a number, or -1 where free; `s` is a power of two and at least ``2 * c``.
    known_left, known_right : uint64[c]
        Pairs by number; the first `used` are set.

    Returns
    -------
    row, used : int64
        First row not done (n when all are, less when the table must grow), and how many pairs are known now.

    Notes
    -----
    O(n) expected: at most half of the table is taken, so a probe always ends; a line that does not fit costs a look. Oracle: a dict.
    """
    lines = np.uint64(len(near) - 1)
    for i in range(begin, len(left)):
        identity[i] = -1
        if fate[i] != 0:
            continue
        line = left[i] & lines
        if near[line, 0] != left[i] or near[line, 1] != right[i]:
            at = probe_pair(left[i], right[i], index, known_left, known_right)
            if index[at] < 0:
                if used == len(known_left):
                    return i, used
                index[at] = used
                known_left[used], known_right[used], born[used] = left[i], right[i], i
                used += 1
            near[line, 0], near[line, 1], near[line, 2] = left[i], right[i], index[at]
        identity[i] = near[line, 2]
    return len(left), used


@njit("void(uint64[::1], uint64[::1], int64, int32[::1])", nogil=True, cache=True)
def index_pairs(known_left: U64, known_right: U64, used: int, index: I32) -> None:
    """Fill a free hash table with the pairs already known.

    Parameters
    ----------
    known_left, known_right : uint64[c]
        Pairs by number; the first `used` are set, and distinct but for those that are gone: their left part is all
        ones, and they are left out, as all of them would stand in each other's way.
    used : int64
        How many.
    index : int32[s]
        Output: all -1 on entry; `s` is a power of two and at least twice `used`.

    Notes
    -----
    O(used) expected. Oracle: a dict.
    """
    mask = np.uint64(len(index) - 1)
    for number in range(used):
        if known_left[number] == _GONE:
            continue
        at = hash_pair(known_left[number], known_right[number]) & mask
        while index[at] >= 0:
            at = (at + _ONE) & mask
        index[at] = number


@njit("void(int64[::1], uint64[:, ::1], uint64[::1])", nogil=True, cache=True)
def forget_pairs(numbers: I64, near: U64x3, known_left: U64) -> None:
    """Mark pairs as gone: their numbers stay taken and match nothing.

    Parameters
    ----------
    numbers : int64[n]
        Numbers of pairs that are known.
    near, known_left : uint64[h, 3], uint64[c]
        As in `intern_pairs`; changed in place.

    Notes
    -----
    O(n). Oracle: a dict.
    """
    lines = np.uint64(len(near) - 1)
    for i in range(len(numbers)):
        number = np.uint64(numbers[i])
        line = known_left[number] & lines
        if near[line, 2] == number:
            near[line, 0] = _GONE
        known_left[number] = _GONE


@njit("boolean(int64[::1], int64, int64)", nogil=True, cache=True)
def lie_within(event_us: I64, low_us: int, high_us: int) -> bool:
    """Say whether all times are in a range.

    Parameters
    ----------
    event_us : int64[n]
        Event times in microseconds.
    low_us, high_us : int64
        The least and the largest one that are in it.

    Returns
    -------
    within : bool
        True also where there is none.
    """
    outside = 0
    for i in range(len(event_us)):
        # Both are looked at: without a branch several rows are compared at once.
        outside += int(event_us[i] < low_us) + int(event_us[i] > high_us)
    return outside == 0


@njit(
    "int64(int64[::1], int64[::1], int32[::1], int64[::1], int64, int64, int64[::1], uint64[:, ::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def find_near(
    event_us: I64,
    clock_us: I64,
    code: I32,
    number: I64,
    begin: int,
    stop: int,
    pane: I64,
    near: U64x3,
    slot: I64,
    rest: I64,
) -> int:
    """Give rows of one pane their slots where their key was met there last, and list the others.

    Parameters
    ----------
    event_us, clock_us, code, number : int64[n], int64[n], int32[n] or int32[0], int64[k]
        As in `place_rows`.
    begin, stop : int64
        The rows ``[begin, stop)``, at most as many as `rest` has room for.
    pane : int64[5]
        As `look_at_pane` writes it.
    near : uint64[h, 3]
        As in `intern_pairs`; only read.
    slot : int64[n]
        Output: the slot of each row found; anything for those listed.
    rest : int64[b]
        Output: the other rows, ascending.

    Returns
    -------
    others : int64
        How many of those there are.
    """
    start, end, misses, others = pane[0], pane[1], pane[4], 0
    right, lines, coded = np.uint64(start), np.uint64(len(near) - 1), len(code) > 0
    # Indices without a sign, and one branch for all that may be wrong, halve the time: nothing is wrapped around.
    for i in range(np.uint64(begin), np.uint64(stop)):
        left = np.uint64(number[np.uint32(code[i])] if coded else number[i])
        line = left & lines
        elsewhere = (event_us[i] < start) | (event_us[i] >= end) | (clock_us[i] >= misses)
        slot[i] = np.int64(near[line, 2])
        if elsewhere | (near[line, 0] != left) | (near[line, 1] != right):
            rest[others] = i
            others += 1
    return others


@njit("void(int64, int64[::1], int64[::1])", nogil=True, cache=True)
def look_at_pane(event: int, spacing: I64, pane: I64) -> None:
    """Find the pane of one row; as `assign_hopping` does, far from the ends of int64.

    Parameters
    ----------
    event : int64
        Event time in microseconds.
    spacing : int64[5]
        As in `place_rows`.
    pane : int64[5]
        Output: start and end, ends of the first and the last window over it, and from which clock on a row has missed
        the first one. Where the row lies between windows, its end is its start.
    """
    size, hop, width, origin, lateness = spacing[0], spacing[1], spacing[2], spacing[3], spacing[4]
    into_hop = (event % hop - origin % hop) % hop
    into_pane = (event % width - origin % width) % width
    pane[0] = event - into_pane
    pane[1] = event - into_pane + width if into_hop < size else pane[0]
    # Ends lie one hop apart; the first one after the row is this far from it.
    pane[2] = event + hop - (into_hop - size % hop) % hop
    pane[3] = event - into_hop + size
    pane[4] = pane[2] + lateness if pane[2] <= _MAX_US - lateness else _MAX_US


@njit(
    "Tuple((int64, int64, int64, int64))(int64[::1], int64[::1], int32[::1], int64[::1], int64[::1], int64, int64[::1],"
    " int64[::1], int64, int64[::1], uint64[:, ::1], int32[::1], uint64[::1], uint64[::1])",
    nogil=True,
    cache=True,
)
def seat_rest(
    event_us: I64,
    clock_us: I64,
    code: I32,
    number: I64,
    rest: I64,
    count: int,
    spacing: I64,
    pane: I64,
    used: int,
    slot: I64,
    near: U64x3,
    index: I32,
    known_left: U64,
    known_right: U64,
) -> tuple[int, int, int, int]:
    """Do for rows listed what `place_rows` does for all.

    Parameters
    ----------
    event_us, clock_us, code, number : int64[n], int64[n], int32[n] or int32[0], int64[k]
        As in `place_rows`.
    rest, count : int64[b], int64
        The rows, and how many.
    spacing, pane : int64[5]
        As in `place_rows`, and a pane as `look_at_pane` writes it: on return that of the last row.
    used, slot, near, index, known_left, known_right : int64, int64[n], uint64[h, 3], int32[s], uint64[c], uint64[c]
        As in `place_rows`.

    Returns
    -------
    done, used, others, lost : int64
        How many of the rows are done, then as in `place_rows`.
    """
    others, lost = 0, 0
    for j in range(count):
        i, missed = rest[j], 0
        if not pane[0] <= event_us[i] < pane[1]:
            look_at_pane(event_us[i], spacing, pane)
        slot[i] = -1
        if pane[0] == pane[1] or (clock_us[i] >= pane[4] and pane[3] <= clock_us[i] - spacing[4]):
            others, lost = others + 1, lost + 1
            continue
        if clock_us[i] >= pane[4] and pane[2] <= clock_us[i] - spacing[4]:
            missed = (clock_us[i] - spacing[4] - pane[2]) // spacing[1] + 1
        key = number[code[i]] if len(code) > 0 else number[i]
        left, right = np.uint64(key | (missed << KEY_BITS)), np.uint64(pane[0])
        line = left & np.uint64(len(near) - 1)
        if near[line, 0] != left or near[line, 1] != right:
            at = probe_pair(left, right, index, known_left, known_right)
            if index[at] < 0:
                if used == len(known_left):
                    return j, used, others, lost
                index[at], known_left[used], known_right[used] = used, left, right
                used += 1
            near[line, 0], near[line, 1], near[line, 2] = left, right, index[at]
        slot[i] = np.int64(near[line, 2])
        others += int(missed > 0)
    return count, used, others, lost


@njit(
    "Tuple((int64, int64, int64, int64))(int64[::1], int64[::1], int32[::1], int64[::1], int64[::1], int64, int64,"
    " int64[::1], uint64[:, ::1], int32[::1], uint64[::1], uint64[::1])",
    nogil=True,
    cache=True,
)
def place_rows(
    event_us: I64,
    clock_us: I64,
    code: I32,
    number: I64,
    spacing: I64,
    begin: int,
    used: int,
    slot: I64,
    near: U64x3,
    index: I32,
    known_left: U64,
    known_right: U64,
) -> tuple[int, int, int, int]:
    """Give each row the slot of its pane, where panes lie on one grid for all keys, until there is no room for new ones.

    Parameters
    ----------
    event_us, clock_us : int64[n]
        Event times, far from the ends of int64, and the clock of the row's partition just before the row.
    code, number : int32[n] or int32[0], int64[k]
        The key of row i is ``number[code[i]]``, or ``number[i]`` where there are no codes.
    spacing : int64[5]
        Size, hop, pane and origin as in `assign_hopping`, and the allowed lateness.
    begin, used : int64
        Row to begin at, and how many panes are known.
    slot : int64[n]
        Output: number of each row's pane from `begin` to the row returned; -1 where it has no window or is late for all.
    near, index, known_left, known_right : uint64[h, 3], int32[s], uint64[c], uint64[c]
        As in `intern_pairs`: the pair is (key and windows missed above `KEY_BITS`, start of the pane).

    Returns
    -------
    row, used, others, lost : int64
        First row not done, panes known now, and how many of the rows done are not plainly folded, and not folded at all.

    Notes
    -----
    O(n) expected. Oracle: `assign_hopping`, `judge_missed` and `intern_pairs` one after the other.
    """
    rest, here, looked = np.empty(_BLOCK, np.int64), np.zeros(FIELDS, np.int64), np.zeros(FIELDS, np.int64)
    low, others, lost = begin, 0, 0
    while low < len(event_us):
        stop = min(low + (_BLOCK if low > begin else _FIRST), len(event_us))
        count = find_near(event_us, clock_us, code, number, low, stop, here, near, slot, rest)
        rows, panes = (event_us, clock_us, code, number, rest), (near, index, known_left, known_right)
        done, used, more, gone = seat_rest(*rows, count, spacing, looked, used, slot, *panes)
        others, lost = others + more, lost + gone
        if done < count:
            return rest[done], used, others, lost
        if 2 * count > stop - low:
            here[:] = looked
        low = stop
    return low, used, others, lost
