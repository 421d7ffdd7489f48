"""What a rebuild of state takes for the end of the log, and what only for a store that does not answer."""

from types import SimpleNamespace

import pytest

from arrowflow.errors import ObjectMissing, RetryableError, StateCorrupt, StateRefused
from arrowflow.phases.rebuild import rebuild_state
from arrowflow.testing.conformance.commitlogs import a_record
from arrowflow.types import OperatorState, StateFile


def job_whose_log_answers(error):
    def read(epoch):
        raise error

    full = StateFile(epoch=3, path="state/3", sha256="", bytes=0)
    head = a_record(5).__class__(
        **{name: getattr(a_record(5), name) for name in a_record(5).__struct_fields__ if name != "state"},
        state={"window": OperatorState(full=full)},
    )
    pipeline = SimpleNamespace(operator=SimpleNamespace(name="window"))
    return SimpleNamespace(head=head, pipeline=pipeline, log=SimpleNamespace(read=read, check=lambda epoch: None))


def test_a_store_that_does_not_answer_says_nothing_about_the_log():
    """Found by the simulator: the run ended with "no whole snapshot is left" and exit code 8, which nobody restarts."""
    with pytest.raises(RetryableError, match="no answer"):
        rebuild_state(job_whose_log_answers(RetryableError("no answer")), StateCorrupt("a bit is wrong"))


def test_a_record_that_is_gone_ends_the_way_back():
    with pytest.raises(StateRefused, match="no whole snapshot is left in the log: record 4 is gone"):
        rebuild_state(job_whose_log_answers(ObjectMissing("record 4 is gone")), StateCorrupt("a bit is wrong"))
