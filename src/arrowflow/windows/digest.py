"""An order-free digest of the rows of an Arrow table: the sum of 128-bit row hashes. It says "equal", not "authentic".

It depends on values and column order only: not on row order, chunks, process, machine or version. docs/state.md
gives the steps; ``tests/oracles/digest.py`` does them in plain Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.types import Bool
from arrowflow.windows.arrays import U64, Array, ready, words_of
from arrowflow.windows.columns import bits_of, valid_of, whole
from arrowflow.windows.functions import is_text
from arrowflow.windows.kernels.digests import hash_strings

_STEP = 0x9E3779B97F4A7C15
_NULL = np.uint64(0x6E756C6C6E756C6C)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LANE_B = np.uint64(0xD1B54A32D192ED03)
_LOW32, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_ALL64, _ALL128 = (1 << 64) - 1, (1 << 128) - 1


def digest_of(table: pa.Table) -> str:
    """Return the digest of all rows as 32 hexadecimal digits; 0 for none."""
    return format(sum_hashes(*row_hashes(table)), "032x")


def row_hashes(table: pa.Table) -> tuple[U64, U64]:
    """Hash each row into two 64-bit lanes.

    Parameters
    ----------
    table : Table[n]
        Columns of any type the state has: integers, floats, bool, dates, timestamps, strings, binary, decimals,
        structs and lists of these, and fixed-size lists of integers.

    Returns
    -------
    lane_a, lane_b : uint64[n]
        The high and low half of each row's hash.
    """
    lane_a = np.zeros(table.num_rows, np.uint64)
    lane_b = np.full(table.num_rows, _LANE_B)
    place = 0
    for field in table.schema:
        column = whole(table.column(field.name), field.type)
        for word, valid in _words(column, valid_of(column)):
            place += 1
            salted = mix(np.where(valid, word, _NULL) ^ np.uint64(place * _STEP & _ALL64))
            salted = np.where(valid, salted, mix(salted))
            lane_a = mix(lane_a ^ salted)
            lane_b = mix(lane_b + salted)
    return lane_a, lane_b


def sum_hashes(lane_a: U64, lane_b: U64) -> int:
    """The sum of row hashes modulo ``2**128``."""
    return ((_sum(lane_a) << 64) + _sum(lane_b)) & _ALL128


def _sum(lane: U64) -> int:
    """Exact: the halves of fewer than ``2**32`` words cannot overflow 64 bits."""
    return (int((lane >> _HALF).sum(dtype=np.uint64)) << 32) + int((lane & _LOW32).sum(dtype=np.uint64))


def item_hashes(items: Array) -> U64:
    """uint64[n]: one hash per value, of which equal values have equal ones, whatever stands around them.

    Parameters
    ----------
    items : Array[n]
        Of any type the state has; a null has a hash of its own.
    """
    out = np.zeros(len(items), np.uint64)
    for place, (word, valid) in enumerate(_words(items, valid_of(items)), 1):
        salted = mix(np.where(valid, word, _NULL) ^ np.uint64(place * _STEP & _ALL64))
        out = mix(out ^ np.where(valid, salted, mix(salted)))
    return out


def mix(word: U64) -> U64:
    """The finaliser of splitmix64; array arithmetic wraps without a warning, as is meant here."""
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))


def _words(column: Array, valid: Bool) -> Iterator[tuple[U64, Bool]]:
    """The 64-bit words that stand for a column, one or more per row."""
    kind = column.type
    if isinstance(column, pa.StructArray):
        for i in range(kind.num_fields):
            child = column.field(i)
            yield from _words(child, valid & valid_of(child))
    elif isinstance(column, pa.FixedSizeListArray):
        items = bits_of(column.flatten()).view(np.uint64).reshape(-1, kind.list_size)
        for i in range(kind.list_size):
            yield items[:, i], valid
    elif isinstance(column, pa.ListArray):
        yield from _list_words(column, valid)
    elif pa.types.is_decimal128(kind):
        words = words_of(column.buffers()[1], np.uint64, 2 * len(column), 16 * column.offset)
        yield words[0::2], valid
        yield words[1::2], valid
    elif is_text(kind) or pa.types.is_binary(kind):
        yield _hash_text(column), valid
    else:
        yield bits_of(column).view(np.uint64), valid


def _list_words(column: pa.ListArray[Any], valid: Bool) -> Iterator[tuple[U64, Bool]]:
    """The length of each list, and the sum of its items' hashes, each mixed with its place."""
    sizes = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    edge = np.append(0, np.cumsum(sizes))
    place = np.arange(1, edge[-1] + 1) - np.repeat(edge[:-1], sizes)
    hashes = mix(item_hashes(column.flatten()) ^ (place.astype(np.uint64) * np.uint64(_STEP)))
    # The difference of two running sums is the sum between them, modulo 2**64 too.
    upto = np.append(np.zeros(1, np.uint64), np.cumsum(hashes, dtype=np.uint64))
    yield sizes.view(np.uint64), valid
    yield upto[edge[1:]] - upto[edge[:-1]], valid


def _hash_text(column: Array) -> U64:
    plain = column.cast(pa.large_binary()).fill_null(b"")
    _validity, edges, data = plain.buffers()
    edge = words_of(edges, np.int64, len(plain) + 1, 8 * plain.offset)
    text = words_of(data, np.uint8, 0 if data is None else data.size)
    out = np.empty(len(plain), np.uint64)
    hash_strings(ready(edge), ready(text), out)
    return out
