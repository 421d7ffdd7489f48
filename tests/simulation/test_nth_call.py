"""On one job, each call to store and source goes wrong in turn, in every way there is; nothing is lost, doubled or changed."""

import pytest

from arrowflow.testing.simulation.nth import LASTING, TRANSIENT, NthCall, every_call
from arrowflow.testing.simulation.verifier import Verifier

JOB = 21
"""A job of the real operator whose windows are corrected: it passes every verb of a store that a job without sweeping has."""
VERBS = {"probe", "list", "read", "create", "move_once", "replace_once", "discover", "start_offsets", "acknowledge"}


@pytest.mark.parametrize("fate", TRANSIENT)
def test_any_one_call_may_go_wrong(fate):
    calls, wrong = every_call(JOB, fate, lasting=False)

    assert wrong == []
    assert calls > 30


@pytest.mark.parametrize("fate", LASTING)
def test_every_call_from_any_one_on_may_go_wrong(fate):
    calls, wrong = every_call(JOB, fate, lasting=True)

    assert wrong == []
    assert calls > 30


def test_the_job_makes_calls_of_every_kind():
    whole = NthCall(JOB, "raise", 10**9, lasting=False).judged()
    called = {line.split()[1] for line in whole.journal if line.startswith("w0 ")}

    assert called >= VERBS
    assert whole.wrong == ()


def test_a_file_that_is_published_and_forgotten_is_missed_by_the_judge(monkeypatch):
    """The judge is not asleep: it misses the rows of files that it was not told of."""
    published = Verifier.published
    monkeypatch.setattr(
        Verifier, "published", lambda self, at, data: None if "/rows/" in at else published(self, at, data)
    )

    wrong = NthCall(JOB, "well", 1, lasting=True).judged().wrong

    assert any(line.startswith("I16: rows") for line in wrong)
