"""Each observer, the command line's among them, passes the suite every observer must pass."""

import io

from rich.console import Console

from arrowflow.cli.lines import Lines
from arrowflow.cli.live import LiveView
from arrowflow.cli.session import Session
from arrowflow.phases.defaults import Silence
from arrowflow.testing.conformance.observers import ObserverConformance, every_event
from arrowflow.testing.observer import RecordingObserver


class TestSilence(ObserverConformance):
    def observer(self):
        return Silence()


class TestRecordingObserver(ObserverConformance):
    def observer(self):
        return RecordingObserver()

    def test_it_keeps_what_it_heard_in_order(self):
        observer = self.observer()
        for event in every_event():
            observer.notice(event)

        assert observer.events == every_event()


class TestLines(ObserverConformance):
    def observer(self):
        return Lines(Session().clean)


class TestLiveView(ObserverConformance):
    def observer(self):
        return LiveView("job", Session().clean, Console(file=io.StringIO(), force_terminal=True))

    def test_it_draws_after_every_event(self):
        view = self.observer()
        for event in every_event():
            view.notice(event)
            Console(file=io.StringIO(), force_terminal=True).print(view.render())
