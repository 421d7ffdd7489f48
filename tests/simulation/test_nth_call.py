"""On one job, each call to store and source goes wrong in turn, in every way there is; nothing is lost, doubled or changed."""

import pytest

from arrowflow.testing.simulation.nth import LASTING, TRANSIENT, NthCall, every_call

JOB = 15
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


def test_what_a_call_that_fails_would_have_done_is_missed_at_once_by_the_judge():
    """The judge is not asleep: with the call that publishes forgotten, rows are missing."""
    case = NthCall(JOB, "well", 1, lasting=True)
    published = case.world.verifier.published
    case.world.verifier.published = lambda target, data: None if "/rows/" in target else published(target, data)

    assert any(line.startswith("I16: rows") for line in case.judged().wrong)
