"""JSON to typed columns, on the messages of the production sample and on others that are all alike: every row is held against the standard library's reading."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from arrowflow.bench.results import Line
from arrowflow.bench.rounds import in_turn
from arrowflow.bench.rows import HERE, SLICE
from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.errors import ArrowflowError
from arrowflow.samples import stream
from arrowflow.types import Decoded, RawBatch

FIELDS = {
    "planta": "string",
    "linea": "string",
    "timestamp": "timestamp[ms]",
    "unidades_producidas": "int64",
    "tasa_produccion": "float64",
}
_PLAIN: Mapping[str, type] = {"string": str, "int64": int, "float64": float, "timestamp[ms]": int}


def messages(rows: int) -> list[bytes]:
    """The sample's messages without its tombstones, broken ones included."""
    return [record.value for record in stream("production", rows=rows).records() if record.value]


def alike(rows: int) -> list[bytes]:
    """Messages of the same members in one order and form, all ASCII, as a machine writes them."""
    form = (
        b'{"evento_id":"%09d","planta":"monterrey","linea":"L%d","timestamp":%d,"unidades_producidas":%d,'
        b'"tasa_produccion":%d.%d,"operador":"op-%03d"}'
    )
    return [
        form % (n, n % 40, 1_761_890_400_000 + n, n * 7919 % 1000, 20 + n % 60, n % 10, n % 997) for n in range(rows)
    ]


def raw_batch(values: list[bytes]) -> RawBatch:
    """Messages as a source hands them over."""
    n = len(values)
    nothing = pa.nulls(n, pa.binary())
    return RawBatch(
        HERE, np.arange(n), np.zeros(n, np.int64), np.zeros(n, np.bool_), nothing, pa.array(values, pa.binary())
    )


def measure(rows: int, runs: int) -> list[Line]:
    """Time the decoder beside a typed msgspec loop that keeps nothing, on the sample and on messages that are all alike.

    Raises
    ------
    ArrowflowError
        If a row differs from what the standard library reads in the same message.
    """
    return [*_lines("the sample", messages(rows), runs), *_lines("all alike", alike(rows), runs)]


def _lines(what: str, values: list[bytes], runs: int) -> list[Line]:
    slices = [values[low : low + SLICE] for low in range(0, len(values), SLICE)]
    batches = [raw_batch(each) for each in slices]
    decoder = JsonSpec(tuple(Field(name, kind) for name, kind in FIELDS.items())).build()
    ours, theirs = f"json, {what}", f"msgspec, {what}, nothing kept"
    decoded: list[Decoded] = []

    def decode() -> int:
        decoded[:] = [decoder.decode(batch) for batch in batches]
        return len(values)

    works: dict[str, Callable[[], int]] = {ours: decode, theirs: lambda: _bare(values)}
    found = in_turn(works, runs)
    for each, said in zip(decoded, slices, strict=True):
        if wrong := difference(each, said):
            raise ArrowflowError(f"decode, {what}: {wrong}")
    told = {ours: f"{len(values):,} messages equal to what the standard library reads"}
    return [
        Line(
            "decode",
            name,
            len(values),
            tuple(timed.wall_s),
            tuple(timed.cpu_s),
            told.get(name, f"{timed.answer:,} messages read"),
        )
        for name, timed in found.items()
    ]


def difference(decoded: Decoded, values: list[bytes]) -> str | None:
    """The first row that is not what its message says, as a sentence; None if there is none."""
    columns = {name: _plain(decoded.table.column(name)) for name in FIELDS}
    refused = {reject.row: reject.reason for reject in decoded.rejects}
    kept = np.flatnonzero(decoded.ok)
    if len(kept) + len(refused) != len(values) or decoded.table.num_rows != len(values):
        return f"{len(values)} messages became {len(kept)} rows and {len(refused)} rejects"
    for row, value in enumerate(values):
        said = _read(value)
        if said is None:
            if row not in refused:
                return f"message {row} cannot be read and is a row: {value[:200]!r}"
            continue
        if row in refused:
            return f"message {row} can be read and was refused ({refused[row]}): {value[:200]!r}"
        found = {name: column[row] for name, column in columns.items()}
        if found != said:
            return f"message {row} says {said}, its row {found}"
    return None


def _plain(column: pa.ChunkedArray[Any]) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        return [None if us is None else us // 1000 for us in column.cast(pa.int64()).to_pylist()]
    return list(column.to_pylist())


def _read(value: bytes) -> dict[str, object] | None:
    """The fields of a message by the standard library; None if it is none, or one of them has another type."""
    try:
        told = json.loads(value.decode(), parse_constant=_refuse)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    found = {name: told.get(name) for name in FIELDS}
    fits = all(each is None or _fits(each, kind) for each, kind in zip(found.values(), FIELDS.values(), strict=True))
    return found if fits else None


def _fits(value: object, kind: str) -> bool:
    wanted = _PLAIN[kind]
    if wanted is int:
        whole = type(value) is int or (type(value) is float and value.is_integer())  # 5.0 is the integer it is
        return whole and -(2**63) <= value < 2**63  # type: ignore[operator]
    return type(value) in ((int, float) if wanted is float else (wanted,))


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _bare(values: list[bytes]) -> int:
    row = msgspec.defstruct("Row", [(name, _PLAIN[kind] | None, None) for name, kind in FIELDS.items()])
    decode = msgspec.json.Decoder(row).decode
    good = 0
    for value in values:
        try:
            decode(value)
            good += 1
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return good
