"""What every decoder must keep, whatever its format: subclass, say what is good and what is bad, inherit the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.protocols import DecoderSpec
from arrowflow.types import Decoded, RawBatch, SourcePartition


class DecoderConformance:
    """Laws of `arrowflow.protocols.Decoder`.

    A subclass named ``Test…`` gives `spec`, `good` and `bad`.
    """

    def spec(self) -> DecoderSpec:
        """Return the spec under test; equal at every call."""
        raise NotImplementedError

    def good(self) -> Sequence[bytes]:
        """Return at least two records that decode."""
        raise NotImplementedError

    def bad(self) -> Sequence[bytes]:
        """Return records that must be refused; none for a format that refuses nothing."""
        raise NotImplementedError

    def mixed(self) -> list[bytes | None]:
        """Good, bad and tombstones in turn."""
        records: list[bytes | None] = [*self.good(), *self.bad()]
        return [None, *records, None, *reversed(records)]

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        return self.spec().build().decode(raw_batch(values))

    def test_row_i_is_record_i_whatever_became_of_it(self) -> None:
        values = self.mixed()
        whole = self.decode(values)

        assert whole.table.num_rows == len(whole.ok) == len(values)
        for row, value in enumerate(values):
            alone = self.decode([value])
            assert alone.table.to_pylist() == whole.table.slice(row, 1).to_pylist()
            assert alone.ok[0] == whole.ok[row]

    def test_good_records_are_ok_and_bad_ones_refused(self) -> None:
        assert self.decode(self.good()).ok.all()
        assert not self.decode(self.bad()).ok.any()
        assert len(self.decode(self.bad()).rejects) == len(self.bad())

    def test_a_tombstone_is_neither_ok_nor_rejected(self) -> None:
        decoded = self.decode([None, None])

        assert not decoded.ok.any()
        assert decoded.rejects == ()

    def test_every_row_is_ok_rejected_or_a_tombstone_and_only_one_of_them(self) -> None:
        values = self.mixed()
        decoded = self.decode(values)
        rejected = [reject.row for reject in decoded.rejects]

        assert rejected == sorted(set(rejected))
        for row, value in enumerate(values):
            assert decoded.ok[row] + (row in rejected) + (value is None) == 1

    def test_a_row_that_is_not_ok_is_null_in_every_column(self) -> None:
        decoded = self.decode(self.mixed())

        for row in np.flatnonzero(~decoded.ok).tolist():
            assert set(decoded.table.slice(row, 1).to_pylist()[0].values()) == {None}

    def test_the_table_has_the_schema_that_was_promised(self) -> None:
        for values in (self.good(), self.mixed(), [], [None]):
            assert self.decode(values).table.schema == self.spec().build().schema

    def test_where_a_batch_is_cut_changes_nothing(self) -> None:
        values = self.mixed()
        whole = self.decode(values)
        for cut in range(len(values) + 1):
            parts = [self.decode(values[:cut]), self.decode(values[cut:])]
            assert pa.concat_tables([part.table for part in parts]).equals(whole.table)
            assert np.concatenate([part.ok for part in parts]).tolist() == whole.ok.tolist()

    def test_values_may_be_a_slice_of_a_larger_array(self) -> None:
        values = self.mixed()
        larger = pa.array([b"before", *values, b"behind"], pa.binary())
        sliced = self.spec().build().decode(raw_batch(values, larger.slice(1, len(values))))

        assert sliced.table.equals(self.decode(values).table)
        assert sliced.rejects == self.decode(values).rejects

    def test_a_decoder_keeps_nothing_from_one_batch_to_the_next(self) -> None:
        decoder = self.spec().build()
        first = decoder.decode(raw_batch(self.mixed()))
        decoder.decode(raw_batch([*self.bad(), *self.good()]))
        again = decoder.decode(raw_batch(self.mixed()))

        assert again.table.equals(first.table)
        assert again.rejects == first.rejects

    def test_details_are_short_and_printable(self) -> None:
        for reject in self.decode(self.bad()).rejects:
            assert reject.detail.isprintable()
            assert 0 < len(reject.detail) < 400

    def test_the_fingerprint_is_plain_data_and_does_not_change(self) -> None:
        first, second = (json.dumps(self.spec().fingerprint(), sort_keys=True) for _ in range(2))

        assert first == second


def raw_batch(values: Sequence[bytes | None], value: pa.Array[pa.BinaryScalar] | None = None) -> RawBatch:
    """Return records of one partition with these values, offsets from 100."""
    rows = len(values)
    return RawBatch(
        partition=SourcePartition("kafka", "topic", 0),
        offset=np.arange(100, 100 + rows),
        timestamp_us=np.zeros(rows, np.int64),
        appended=np.zeros(rows, np.bool_),
        key=pa.nulls(rows, pa.binary()),
        value=pa.array(values, pa.binary()) if value is None else value,
    )
