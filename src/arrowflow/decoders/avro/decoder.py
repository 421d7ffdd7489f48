"""Avro values to typed columns, in chunks: the kernel reads what it is sure of, the rules judge the rest one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from arrowflow.decoders.avro.columns import Builder, Cells
from arrowflow.decoders.avro.dialect import BARE, FRAMING, Rules, Writer, schema_id
from arrowflow.decoders.avro.paths import reads_text
from arrowflow.decoders.avro.program import Names, compile_program
from arrowflow.decoders.avro.walk import MOST_HOLLOW, Bounds
from arrowflow.decoders.chunks import CHUNK_ROWS, Chunks, Guess
from arrowflow.decoders.grammar import Wanted
from arrowflow.decoders.kernels import avro as kernel
from arrowflow.decoders.layout import U8, layout
from arrowflow.decoders.schema import Field, Kind
from arrowflow.errors import PromiseBroken
from arrowflow.types import I64, Bool, Decoded, RawBatch, Reject
from arrowflow.windows.arrays import ready

_FEW: Final = 16


class AvroDecoder:
    """See `AvroSpec`.

    Parameters
    ----------
    fields : sequence of Field
        The columns.
    writers : mapping of int to Writer
        By id; `BARE` alone means records without framing.
    bounds : Bounds
        How large a record may be.
    stops : bool
        Whether a record of an unknown schema ends the run; else it is a dead letter.
    fast : bool
        Whether the kernel is used; the answer is the same without it.
    """

    def __init__(
        self, fields: Sequence[Field], writers: Mapping[int, Writer], bounds: Bounds, *, stops: bool, fast: bool = True
    ) -> None:
        self._stops = stops
        self._kernel = _Fast(fields, writers, bounds)
        schema = pa.schema([pa.field(field.name, field.column.arrow) for field in fields])
        read = partial(self._kernel.read, use=fast)
        self._chunks = Chunks(schema, bounds.max_bytes, read, Rules(fields, writers, bounds).judge)

    @property
    def schema(self) -> pa.Schema:
        return self._chunks.schema

    def decode(self, batch: RawBatch) -> Decoded:
        """Decode a batch; raises `PromiseBroken` for a record of a schema that nobody gave us, if told to."""
        return self._chunks.decode(batch, partial(self._stop_at_unknown, batch) if self._stops else None)

    def _stop_at_unknown(self, batch: RawBatch, rejects: Sequence[Reject]) -> None:
        for reject in rejects:
            if reject.reason == "unknown_schema":
                part, value = batch.partition, batch.value[reject.row].as_py()
                number = schema_id(value)
                raise PromiseBroken(
                    f"topic {part.topic}, partition {part.partition}, offset {batch.offset[reject.row]}: {reject.detail}. "
                    f"Nothing of this epoch was committed. Put that schema into the folder of schemas as {number}.avsc (a "
                    f"registry gives it at /schemas/ids/{number}) and start again; or go on without such records by "
                    'unknown_schema = "dead_letter"'
                )


class _Fast:
    """The kernel with the programs of all schemas, and the memory it works in."""

    def __init__(self, fields: Sequence[Field], writers: Mapping[int, Writer], bounds: Bounds) -> None:
        wanted, names = Wanted.of([field.keys for field in fields]), Names()
        text = {
            index: all(reads_text(writer.root, field.keys) for writer in writers.values())
            for index, field in enumerate(fields)
            if field.column.kind is Kind.DATE
        }
        self._programs = {
            number: compile_program(writer.root, wanted, fields, names, text_dates=text, max_depth=bounds.max_depth)
            for number, writer in writers.items()
        }
        self._names = np.frombuffer(bytes(names.text) + b"\0", np.uint8).copy()
        self._bounds = bounds
        self._builders = [
            Builder(field.column, text_dates=text.get(index, False)) for index, field in enumerate(fields)
        ]
        self._required = [index for index, field in enumerate(fields) if field.required]
        self._spare: list[Cells] = []

    def read(self, values: pa.Array[Any], *, use: bool = True) -> Guess:
        """Return the columns of at most `CHUNK_ROWS` values without nulls, and which rows are in doubt.

        What the kernel writes to is taken from a list and put back, so that two threads never share it.
        """
        rows = len(values)
        cells = self._spare.pop() if self._spare else Cells(len(self._builders), CHUNK_ROWS)
        cells.clear()
        edge, data = layout(values)
        data = ready(data)
        if use and data.size:
            self._run(cells, edge, data)
        doubt: Bool = cells.verdict[:rows] == kernel.DOUBT
        for index in self._required:
            doubt |= cells.size[index, :rows] < 0
        columns = []
        for index, builder in enumerate(self._builders):
            column, unsure = builder.build(cells, index, rows, data, self._names)
            columns.append(column)
            if unsure is not None:
                doubt |= unsure
        self._spare.append(cells)
        return Guess(tuple(columns), doubt)

    def _run(self, cells: Cells, edge: I64, data: U8) -> None:
        rows = len(edge) - 1
        if BARE in self._programs:
            self._read(BARE, np.flatnonzero(np.diff(edge)), 0, cells, edge, data)
            return
        ids = np.empty(rows, np.int64)
        kernel.read_ids(data, edge, ids)
        first = int(ids[0])
        same = ids == first
        if same.all():
            self._read(first, np.arange(rows), FRAMING, cells, edge, data)
            return
        few = len(self._programs) <= _FEW
        for number in self._programs if few else np.unique(ids).tolist():  # sorting costs as much as some comparisons
            self._read(number, np.flatnonzero(ids == number), FRAMING, cells, edge, data)

    def _read(self, number: int, rows: I64, skip: int, cells: Cells, edge: I64, data: U8) -> None:
        program = self._programs.get(number)
        if program is None:
            return
        stack = np.empty(kernel.FRAME * self._bounds.max_depth, np.int64)
        kernel.read_records(
            data, edge, rows, skip, program.steps, program.links, stack, MOST_HOLLOW,
            cells.number, cells.real, cells.size, cells.verdict,
        )  # fmt: skip
