"""JSON to columns, one row per record always, beside a bare typed msgspec decode that keeps nothing."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.samples import stream
from arrowflow.types import RawBatch, SourcePartition

FIELDS = {
    "planta": "string",
    "linea": "string",
    "timestamp": "timestamp[ms]",
    "unidades_producidas": "int64",
    "tasa_produccion": "float64",
}


@pytest.fixture(scope="module")
def batch(request):
    rows = 20_000 if request.config.getoption("benchmark_disable") else 200_000
    values = [record.value for record in stream("production", rows=rows).records() if record.value]
    n = len(values)
    return RawBatch(
        SourcePartition("bench", "events", 0),
        np.arange(n),
        np.zeros(n, np.int64),
        np.zeros(n, np.bool_),
        pa.nulls(n, pa.binary()),
        pa.array(values, pa.binary()),
    )


@pytest.mark.benchmark(group="json")
def test_arrowflow(benchmark, batch):
    decoder = JsonSpec(tuple(Field(name, kind) for name, kind in FIELDS.items())).build()

    decoded = benchmark.pedantic(decoder.decode, args=(batch,), rounds=3, warmup_rounds=1)

    assert decoded.table.num_rows == len(batch)
    assert int(decoded.ok.sum()) + len(decoded.rejects) == len(batch)
    assert decoded.ok.mean() > 0.99


@pytest.mark.benchmark(group="json")
def test_bare_msgspec(benchmark, batch):
    kinds = {"string": str, "int64": int, "float64": float, "timestamp[ms]": int}
    row = msgspec.defstruct("Row", [(name, kinds[kind] | None, None) for name, kind in FIELDS.items()])
    decode = msgspec.json.Decoder(row).decode
    values = batch.value.to_pylist()

    def bare():
        good = 0
        for value in values:
            try:
                decode(value)
                good += 1
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return good

    assert benchmark.pedantic(bare, rounds=3, warmup_rounds=1) > 0.99 * len(values)
