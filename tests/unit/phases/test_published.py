"""What the records say of corrected files, looked up while older records are collected."""

from types import SimpleNamespace

import pytest

from arrowflow.errors import ObjectMissing
from arrowflow.phases.published import Published


class Log:
    """Records by number; those below `horizon` are gone."""

    def __init__(self, count, replaced):
        self.horizon, self.asked = 0, []
        self.records = {
            epoch: SimpleNamespace(epoch=epoch, outputs=[a_file(name, epoch, 0) for name in replaced.get(epoch, ())])
            for epoch in range(count)
        }

    def read(self, epoch):
        self.asked.append(epoch)
        if epoch < self.horizon:
            raise ObjectMissing(f"record {epoch}")
        return self.records[epoch]


def a_file(name, epoch, replaces=None):
    return SimpleNamespace(sink="rows", dst=name, epoch=epoch, replaces=replaces, partition={})


def test_records_collected_between_two_corrections_are_not_asked_for():
    log = Log(16, {6: ["a"], 12: ["b"]})
    published = Published(log)
    assert published.newest(a_file("a", 4), 4, 6).epoch == 6

    log.horizon = 10  # nothing that is still open was given out before

    assert published.newest(a_file("b", 10), 10, 15).epoch == 12
    assert min(log.asked[-6:]) >= 10


@pytest.mark.parametrize("order", [(4, 10), (10, 4)])
def test_the_newest_revision_counts_whichever_file_is_asked_for_first(order):
    log = Log(16, {6: ["a"], 8: ["a"], 12: ["b"]})
    published = Published(log)
    newest = {4: ("a", 8), 10: ("b", 12)}

    for home in (*order, *order):
        name, epoch = newest[home]
        head = 6 if home == 4 and not log.asked else 15
        found = published.newest(a_file(name, home), home, head).epoch
        assert found == (6 if head == 6 else epoch)
