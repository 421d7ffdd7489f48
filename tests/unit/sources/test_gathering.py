"""Records of a read add up: stale ones are dropped, holes are counted where they are walked."""

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.errors import DataLossError
from arrowflow.sources.gathering import Gathering, Records
from arrowflow.types import SourcePartition

PART = SourcePartition("s", "t", 0)


def records(*offsets):
    n = len(offsets)
    payload = pa.array([b"%d" % offset for offset in offsets], pa.binary())
    return Records(np.array(offsets, np.int64), np.zeros(n, np.int64), np.zeros(n, np.bool_), payload, payload)


def test_holes_before_between_and_across_pieces_are_unseen():
    gathering = Gathering({PART: 10})
    gathering.add(PART, records(12, 13, 17))
    gathering.add(PART, records(20))

    assert gathering.unseen[PART] == 2 + 3 + 2
    assert gathering.next_offset(PART) == 21
    (batch,) = gathering.batches()
    assert batch.offset.tolist() == [12, 13, 17, 20]
    assert batch.value.to_pylist() == [b"12", b"13", b"17", b"20"]


def test_row_66_records_before_the_position_are_stale_and_dropped():
    gathering = Gathering({PART: 10})
    gathering.add(PART, records(7, 8, 9))
    gathering.add(PART, records(8, 9, 10, 11))
    gathering.add(PART, records(11, 12))

    assert gathering.batches()[0].offset.tolist() == [10, 11, 12]
    assert (gathering.rows, gathering.unseen[PART]) == (3, 0)


def test_offsets_that_go_back_inside_a_piece_are_data_loss():
    with pytest.raises(DataLossError, match=r"t\[0\]: offset 12 was delivered after 12"):
        Gathering({PART: 10}).add(PART, records(11, 12, 12))


def test_nothing_gathered_is_no_batch():
    gathering = Gathering({PART: 10})
    gathering.add(PART, records())

    assert gathering.batches() == ()
    assert gathering.next_offset(PART) == 10
