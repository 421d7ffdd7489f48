"""What the administrator's client says is judged before it is believed."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import OFFSET_INVALID

from arrowflow.errors import RetryableError
from arrowflow.sources.kafka.cluster import Cluster
from arrowflow.sources.kafka.subscription import Subscription
from arrowflow.types import SourcePartition

PART = SourcePartition("kafka", "t", 0)


class Administrator:
    """Gives one offset to every question."""

    def __init__(self, offset):
        self.offset = offset

    def list_offsets(self, asked, **_):
        answers = {}
        for place in asked:
            answers[place] = Future()
            answers[place].set_result(SimpleNamespace(offset=self.offset, leader_epoch=0))
        return answers


def cluster_that_says(offset):
    made = Cluster("kafka", Subscription("127.0.0.1:1", ("t",), "earliest", "g", {}))
    made._admin = Administrator(offset)
    return made


def test_row_68_a_partition_without_a_leader_is_asked_again_and_is_no_data_loss():
    """The client then answers with an offset that means none; taken for an end, it would stop the job for good."""
    for ask in (lambda one: one.check({PART: 5}), lambda one: one.latest([PART]), lambda one: one.at_time([PART], 1)):
        with pytest.raises(RetryableError, match=r"t\[0\] at 127\.0\.0\.1:1: it has no leader"):
            ask(cluster_that_says(OFFSET_INVALID))
    assert cluster_that_says(7).ranges([PART]) == {PART: (7, 7)}
