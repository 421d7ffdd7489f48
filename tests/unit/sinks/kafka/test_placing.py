"""Keys go where Java's producer puts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrowflow.sinks.kafka.placing import murmur2, partition_of

JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""From the tests of Kafka's own Java client (UtilsTest.testMurmur2)."""


@pytest.mark.parametrize("data", JAVA)
def test_the_hash_is_that_of_the_java_client(data):
    assert murmur2(data) == JAVA[data] % 2**32


@given(st.binary(max_size=40), st.integers(1, 50), st.integers(0, 1000))
def test_a_key_decides_alone_and_every_partition_is_one_there_is(key, partitions, seq):
    found = partition_of(key, seq, partitions, keyed=True)

    assert found == partition_of(key, 0, partitions, keyed=True)
    assert 0 <= found < partitions


def test_no_key_goes_where_the_empty_one_does_and_without_key_columns_records_take_turns():
    assert partition_of(None, 5, 7, keyed=True) == partition_of(b"", 0, 7, keyed=True)
    assert [partition_of(None, seq, 3, keyed=False) for seq in range(5)] == [0, 1, 2, 0, 1]
