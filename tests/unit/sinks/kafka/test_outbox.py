"""An outbox: what is written is read back from any row on."""

import pyarrow as pa
import pytest

from arrowflow.errors import DataLossError
from arrowflow.sinks.kafka.outbox import Entry, encode, entries

MANY = 25_003


@pytest.fixture(scope="module")
def outbox():
    rows = pa.table(
        {"__af_kind": ["insert"] * MANY, "__af_revision": pa.array([1] * MANY, pa.int32()), "x": range(MANY)}
    )
    return encode([None if n % 7 == 0 else b"%d" % n for n in range(MANY)], [b"v%d" % n for n in range(MANY)], rows)


@pytest.mark.parametrize("start", [0, 1, 9_999, 10_000, 10_001, 19_999, 20_000, MANY - 1, MANY])
def test_records_come_from_the_row_asked_for_on(outbox, start):
    found = list(entries(outbox, start, "here"))

    assert [entry.seq for entry in found] == list(range(start, MANY))
    assert all(
        entry == Entry(n, None if n % 7 == 0 else b"%d" % n, b"v%d" % n, "insert", 1)
        for n, entry in enumerate(found, start)
    )


def test_rows_without_a_kind_have_none():
    data = encode([None], [b"v"], pa.table({"x": [1]}))

    assert list(entries(data, 0, "here")) == [Entry(0, None, b"v", None, None)]


def test_another_version_is_refused():
    table = pa.table({"key": pa.array([b"k"])})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)

    with pytest.raises(DataLossError, match="another version"):
        list(entries(sink.getvalue().to_pybytes(), 0, "outbox/1"))
