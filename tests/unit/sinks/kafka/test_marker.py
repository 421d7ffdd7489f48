"""The marker: an offset that grows, and a note that says what counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrowflow.errors import DataLossError
from arrowflow.sinks.kafka.marker import CHUNKS, Marker
from arrowflow.types import Delivered

EPOCHS, ROWS = st.integers(0, 2**40), st.integers(0, 2**40)


@given(
    EPOCHS, ROWS, st.integers(0, CHUNKS - 1), st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(1, 999)
)
def test_what_is_written_is_read(epoch, rows, chunk, digest, partitions):
    marker = Marker.of(Delivered(epoch, rows), chunk, digest, partitions)

    assert Marker.read(marker.offset, marker.note, "here") == marker
    assert marker.offset == epoch * 65536 + chunk
    assert len(marker.note) < 4096
    assert digest.startswith(marker.digest)


@given(EPOCHS, ROWS)
def test_the_last_chunk_serves_all_that_follow_and_the_next_epoch_is_beyond_it(epoch, rows):
    last = Marker.of(Delivered(epoch, rows), 10**6, "", 3)

    assert last.offset == epoch * 65536 + 65535
    assert last.offset < Marker.of(Delivered(epoch + 1, 0), 0, "", 3).offset


def test_a_note_of_an_older_version_tells_of_no_partitions():
    assert Marker.read(65537, "af1;e=1;r=5;m=ab", "here") == Marker(Delivered(1, 5), 1, "ab", None)


@pytest.mark.parametrize(
    ("offset", "note"),
    [(65536, None), (65536, ""), (65536, "af2;e=1"), (65536, "af1;e=2;r=0;m=ab"), (7, "af1;e=1;r=0;m=ab")],
)
def test_what_is_no_marker_is_refused_with_what_is_there(offset, note):
    with pytest.raises(DataLossError, match="group 'g' holds offset"):
        Marker.read(offset, note, "group 'g'")
