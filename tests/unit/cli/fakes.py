"""An engine that does nothing, through the seam the command line offers: `Session(load=…, start=…)`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

from arrowflow.cli.session import Session
from arrowflow.events import Finished
from arrowflow.pipeline import Checkpoint, OperatorNode, Pipeline, SinkNode, SourceNode
from arrowflow.types import Balance

BALANCE = Balance(
    read=1000,
    folded=900,
    filtered={"filter": 30},
    duplicate=20,
    late={"behind_clock": 40},
    dead_lettered={"bad_json": 10},
)
FINISHED = Finished(epochs=3, balance=BALANCE, rows_out=72, files=9, head=4)


def pipeline(properties=None):
    return Pipeline(
        name="job",
        source=SourceNode("kafka", SimpleNamespace(properties=properties or {}), SimpleNamespace()),
        operator=OperatorNode("window", SimpleNamespace()),
        sinks=(
            SinkNode("parquet", SimpleNamespace(root="/lake/table")),
            SinkNode("late", SimpleNamespace(root="/lake/_late"), "late"),
        ),
        checkpoint=Checkpoint(SimpleNamespace()),
    )


@dataclass
class FakeRun:
    """Ends at once, or when it is stopped."""

    ending: object = FINISHED
    until_stopped: bool = False
    stops: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        if not self.until_stopped:
            self.done.set()

    def stop(self):
        self.stops += 1
        self.done.set()

    def wait(self, timeout=None):
        return self.done.wait(timeout)

    def result(self):
        if isinstance(self.ending, BaseException):
            raise self.ending
        return self.ending


@dataclass
class FakeEngine:
    """Remembers what it was asked to start; tells `events` to the observer."""

    run: FakeRun = field(default_factory=FakeRun)
    events: tuple = ()
    properties: dict = field(default_factory=dict)
    started: list = field(default_factory=list)

    def start(self, pipeline, options, *, observer, failpoints):
        self.started.append((pipeline, options, observer, failpoints))
        for event in self.events:
            observer.notice(event)
        return self.run

    def session(self):
        return Session(load=lambda path: pipeline(self.properties), start=self.start)
