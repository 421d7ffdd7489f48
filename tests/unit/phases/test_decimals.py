"""Money from JSON through windows to Parquet: the sum of the digits as they were written, however the topic is cut."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from tests.chaos.replay_job import TO_THE_END
from tests.support.dealt import DealtSpec
from tests.support.small import FIELDS, SECOND_US, pipeline, places

from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.engine import start
from arrowflow.protocols import SampleRecord
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

MONEY = pa.decimal128(38, 2)
AGGREGATES = tuple(
    Aggregate(name, function, "cost")
    for name, function in [("total", "sum"), ("mean", "mean"), ("least", "min"), ("most", "max"), ("newest", "last")]
)
WRITTEN = ("0.1", "0.2", "9007199254740993.07", "-9007199254740993.07", "1e3", "12.500", "-0.00", "0.01", "null")


def amounts(rng, rows):
    """Records of (second, amount as JSON text), half of them cents, the others awkward."""
    return [
        (i % 60, rng.choice(WRITTEN) if i % 2 else f"{rng.randrange(-(10**6), 10**6) / 100:.2f}") for i in range(rows)
    ]


def job(folder, events, *, seed=0, epoch_rows=10_000):
    """The small job with a column of money, windows of a minute."""
    records = [
        SampleRecord("events", 0, 1000 * t, b"a", f'{{"k":"a","t":{t},"cost":{cost}}}'.encode()) for t, cost in events
    ]
    window = WindowSpec(Tumbling(60 * SECOND_US), ("k",), AGGREGATES)
    whole = pipeline(folder, DealtSpec(tuple(records), seed), operator=window, max_epoch_rows=epoch_rows)
    source = replace(whole.source, decoder=JsonSpec((*FIELDS, Field("cost", "decimal(18, 2)"))), max_error_rate=1.0)
    event = replace(whole.event_time, max_out_of_orderness_us=60 * SECOND_US)
    return replace(whole, source=source, event_time=event)


def results(folder):
    return ds.dataset(folder / "small" / "out").to_table()


@pytest.mark.parametrize("seed", range(4))
def test_sums_of_decimals_are_exact_from_json_to_parquet_wherever_the_topic_is_cut(seed, tmp_path):
    events = amounts(random.Random(seed), 400)
    exact = [Decimal(cost) for _, cost in events if cost != "null"]

    finished = start(job(tmp_path, events, seed=seed, epoch_rows=10 + 90 * seed), TO_THE_END).result()

    table = results(tmp_path)
    (row,) = table.to_pylist()
    assert finished.balance.folded == 400
    assert table.schema.field("total").type == MONEY
    assert row["total"] == sum(map(Fraction, exact))
    assert row["total"] != Decimal(f"{sum(map(float, exact)):.2f}"), "a sum of floats would have shown something else"
    assert (row["least"], row["most"]) == (min(exact), max(exact))
    assert table.schema.field("mean").type == pa.decimal128(38, 6)
    assert abs(Fraction(row["mean"]) - sum(map(Fraction, exact)) / len(exact)) <= Fraction(1, 2 * 10**6)


def test_amounts_that_do_not_fit_are_dead_letters_and_the_others_are_summed(tmp_path):
    events = [(0, "0.1"), (1, "0.125"), (2, "10000000000000000"), (3, '"7.00"'), (4, "0.2")]

    start(job(tmp_path, events), TO_THE_END).result()

    assert results(tmp_path)["total"].to_pylist() == [Decimal("0.30")]
    assert places(tmp_path, "dead") == [(0, 1, "scale"), (0, 2, "overflow"), (0, 3, "type")]


def test_late_rows_keep_their_amounts(tmp_path):
    start(job(tmp_path, [(500, "1.00"), (1, "9007199254740993.07")]), TO_THE_END).result()

    late = ds.dataset(tmp_path / "small" / "late").to_table()
    assert late.schema.field("cost").type == pa.decimal128(18, 2)
    assert late["cost"].to_pylist() == [Decimal("9007199254740993.07")]
