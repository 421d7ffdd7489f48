"""What is timed is checked: a right answer passes, each way in which one can be wrong is noticed."""

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from arrowflow.bench import decode, windows
from arrowflow.bench.commits import Committing
from arrowflow.bench.rounds import in_turn
from arrowflow.bench.rows import MINUTE_US, batches_of, fed, generated
from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.errors import ArrowflowError


def answers(kind, rows=3_000):
    table = windows.rows_of(kind, rows, 40, hours=26.0)
    return fed(windows.spec_of(kind), batches_of(table, 700)), windows.polars_answer(kind, windows.as_polars(table))


@pytest.mark.parametrize("kind", windows.KINDS)
def test_windows_of_every_kind_are_equal_to_polars(kind):
    mine, theirs = answers(kind)

    assert windows.difference(mine, theirs) is None
    assert len(theirs) > 40


def test_a_window_too_few_a_wrong_count_and_a_wrong_sum_are_noticed():
    mine, theirs = answers("tumbling")
    near = theirs.with_columns(total=pl.col("total") * (1 + 1e-12))

    assert "are not the same keys" in windows.difference(mine.slice(1), theirs)
    assert "are not the same keys" in windows.difference(mine, theirs.with_columns(n=pl.col("n") + (pl.col("n") == 1)))
    assert windows.difference(mine, theirs.with_columns(total=pl.col("total") + 1e-6)) == "sums that differ"
    assert windows.difference(mine, near) is None


def test_windows_with_a_wrong_answer_are_no_measurement():
    table = windows.rows_of("tumbling", 3_000, 40, hours=26.0)
    batches, frame = batches_of(table), windows.as_polars(table)

    (line,) = windows._lines(
        {"tumbling": lambda: fed(windows.spec_of("tumbling"), batches)}, "tumbling", frame, 3_000, 1
    )
    assert (line.label, line.records) == ("windows: tumbling", 3_000)

    with pytest.raises(ArrowflowError, match="hopping: beside polars' answer there are"):
        windows._lines({"hopping": lambda: fed(windows.spec_of("hopping"), batches)}, "tumbling", frame, 3_000, 1)


def test_generated_rows_are_the_same_every_time_and_another_seed_gives_others():
    assert generated(1_000, 10).equals(generated(1_000, 10))
    assert not generated(1_000, 10).equals(generated(1_000, 10, seed=2))


def test_disorder_is_the_share_asked_for_and_never_more_than_a_minute():
    event_us = generated(20_000, 10, disorder=0.3, hours=1.0)["event_us"].to_numpy()
    behind = np.maximum.accumulate(event_us) - event_us

    assert 0.25 < (behind > 0).mean() < 0.35
    assert behind.max() <= MINUTE_US
    assert (np.diff(generated(1_000, 10, disorder=0.0)["event_us"].to_numpy()) >= 0).all()


def test_an_exponent_makes_a_few_keys_frequent():
    def most_frequent(zipf):
        counts = generated(20_000, 100, zipf=zipf)["key"].combine_chunks().value_counts()
        return max(count.as_py() for count in counts.field("counts")) / 20_000

    assert most_frequent(0.0) < 0.02
    assert 0.15 < most_frequent(1.0) < 0.25  # 1 / H(100) = 0.193
    assert most_frequent(2.0) > 0.5


def decoded(values):
    decoder = JsonSpec(tuple(Field(name, kind) for name, kind in decode.FIELDS.items())).build()
    return decoder.decode(decode.raw_batch(values))


def test_a_decoded_row_that_is_not_its_message_is_noticed():
    values = decode.messages(2_000)
    batch = decoded(values)
    assert decode.difference(batch, values) is None
    assert batch.rejects

    at = next(row for row in range(100, len(values)) if batch.ok[row])
    told = json.loads(values[at])
    other = json.dumps(told | {"unidades_producidas": told["unidades_producidas"] + 1}).encode()
    bad = next(reject.row for reject in batch.rejects)

    assert f"message {at} says" in decode.difference(batch, [*values[:at], other, *values[at + 1 :]])
    assert f"message {at} cannot be read and is a row" in decode.difference(
        batch, [*values[:at], b"{", *values[at + 1 :]]
    )
    assert f"message {bad} can be read and was refused" in decode.difference(
        batch, [*values[:bad], b"{}", *values[bad + 1 :]]
    )
    assert "became" in decode.difference(batch, values[1:])


def test_the_sample_and_messages_all_alike_are_decoded_and_checked():
    lines = decode.measure(300, 1)

    assert [line.name for line in lines if "json" in line.name] == ["json, the sample", "json, all alike"]
    assert all("equal to what the standard library reads" in line.checked for line in lines if "json" in line.name)
    assert [line.checked for line in lines if "msgspec, all" in line.name] == ["300 messages read"]


def test_a_wrongly_decoded_message_is_no_measurement(monkeypatch):
    monkeypatch.setattr(decode, "_read", lambda value: {})

    with pytest.raises(ArrowflowError, match="decode, the sample: message 0 says"):
        decode.measure(300, 1)


def test_commits_are_read_back_and_a_changed_file_is_noticed(tmp_path):
    work = Committing(LocalLogSpec(str(tmp_path / "_log")), str(tmp_path / "table"), 4)

    assert work.run() == 4
    work.check()
    assert len(list((tmp_path / "table").iterdir())) == 4

    (tmp_path / "table" / "2.parquet").write_bytes(b"other")
    with pytest.raises(ArrowflowError, match="the file of record 2 holds other bytes"):
        work.check()


def test_works_take_turns_after_one_untimed_round():
    order = []
    found = in_turn({name: lambda name=name: order.append(name) or len(order) for name in "ab"}, 2)

    assert order == ["a", "b", "a", "b", "a", "b"]
    assert [len(timed.wall_s) for timed in found.values()] == [2, 2]
    assert found["b"].answer == 6
    assert pa.types.is_dictionary(generated(10, 2)["key"].type)
