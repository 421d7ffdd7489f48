"""The start of a run: a word for those who wait, and a rate that leaves the start out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tests.unit.cli.fakes import FINISHED, pipeline

from arrowflow.cli import opening as module
from arrowflow.cli.opening import Opening
from arrowflow.cli.summary import Took, summary_data, summary_text
from arrowflow.events import Finished, Notice, Started
from arrowflow.pipeline import RunOptions
from arrowflow.types import Balance


class View:
    """Keeps what it was given."""

    def __init__(self):
        self.events, self.said = [], []

    def notice(self, event):
        self.events.append(event)

    def say(self, level, message):
        self.said.append((level, message))


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved."""
    hand = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: hand.now))
    return hand


def test_a_run_that_says_nothing_for_five_seconds_gets_a_word_said_once(clock):
    view = View()
    opening = Opening(view)

    for clock.now in (104.9, 105.0, 105.2, 130.0):
        opening.look()

    ((level, word),) = view.said
    assert level == "info"
    assert word.startswith("still starting: the first run after an installation compiles the window kernels")


def test_a_run_that_was_heard_of_is_left_alone_and_its_events_are_passed_on(clock):
    view = View()
    opening = Opening(view)

    opening.notice(Notice("info", "hello"))
    clock.now = 109.0
    opening.look()
    opening.notice(Started(SimpleNamespace(epoch=0), redone=0))

    assert view.said == []
    assert [type(event) for event in view.events] == [Notice, Started]
    assert opening.seconds == 9.0


def test_the_rate_is_that_of_the_work_and_leaves_the_start_out():
    text = summary_text(pipeline(), RunOptions(), FINISHED, Took(seconds=50.0, starting_s=40.0))
    data = summary_data(pipeline(), RunOptions(), FINISHED, Took(seconds=50.0, starting_s=40.0))

    assert text.startswith("job: 3 epochs in 10.0 s, 100 records/s, after 40.0 s to start; newest record 4\n")
    assert (data["seconds"], data["starting_seconds"]) == (50.0, 40.0)


def test_a_run_that_found_nothing_new_says_so():
    nothing = Finished(epochs=0, balance=Balance(), rows_out=0, files=0, head=4)

    text = summary_text(pipeline(), RunOptions(), nothing, Took(seconds=3.0, starting_s=2.5))

    assert text.startswith("job: nothing new to commit in 0.5 s, after 2.5 s to start; newest record 4\n")
