"""On a job, each call to store, source and topic goes wrong in turn, in every way there is; nothing is lost, doubled or changed."""

import pytest

from arrowflow.testing.simulation.extras import Outside
from arrowflow.testing.simulation.nth import LASTING, TRANSIENT, NthCall, every_call
from arrowflow.testing.simulation.verifier import Verifier

JOB = 247
"""A job of the real operator whose windows are corrected: it passes every verb of a store that a job without sweeping has."""
TOPIC_JOB = 78
"""A job with topics, for rows and for late ones, that collects."""
TOPIC_CALLS = {
    "init",
    "marker",
    "begin",
    "produce",
    "flush",
    "send_marker",
    "commit",
    "hanging",
    "hidden",
    "tail",
    "delete",
}
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


@pytest.mark.parametrize("fate", ["lost", "crash after"])
def test_any_one_call_of_a_job_with_topics_may_go_wrong(fate):
    calls, wrong = every_call(TOPIC_JOB, fate, lasting=False)

    assert wrong == []
    assert calls > 60


def test_the_job_with_topics_makes_calls_of_every_kind_to_them():
    whole = NthCall(TOPIC_JOB, "raise", 10**9, lasting=False).judged()
    called = {line.split()[1] for line in whole.journal if line.startswith("w0 ")}

    assert called >= TOPIC_CALLS
    assert whole.topic_rows > 0
    assert whole.wrong == ()


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


def test_a_row_that_readers_of_a_topic_see_twice_is_noticed(monkeypatch):
    """The judge of topics is not asleep either."""
    seen = Outside._seen
    monkeypatch.setattr(Outside, "_seen", lambda self, topic: 2 * seen(self, topic))

    wrong = NthCall(TOPIC_JOB, "well", 1, lasting=True).judged().wrong

    assert any(line.startswith("I6: alerts: row 0") and "2 times" in line for line in wrong)
