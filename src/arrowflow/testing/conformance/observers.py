"""What every `Observer` must keep: it hears anything and raises nothing. What it does with it is its own affair."""

from __future__ import annotations

import threading
from dataclasses import is_dataclass

from arrowflow import events
from arrowflow.events import Committed, Finished, Notice, Progress, Started
from arrowflow.protocols import Observer
from arrowflow.types import Balance, Fingerprint, Input, Manifest, PartitionClock, SourcePartition, StagedFile, Writer

_PART = SourcePartition("in", "a/topic\x1b[31m", 7)


class _Foreign:
    """An event of a later version, which cannot even be printed."""

    def __repr__(self) -> str:
        raise RuntimeError("not to be printed")


def a_manifest() -> Manifest:
    """A record of one epoch with rows of every fate."""
    balance = Balance(
        read=10, folded=4, filtered={"tombstone": 1}, late={"behind_clock": 2}, dead_lettered={"bad_json": 3}
    )
    clock = PartitionClock(max_event_us=2**62, floor_us=-(2**62), idle=True)
    file = StagedFile(sink="out", src="staging/x", dst="x", rows=4, bytes=1, crc32c="0" * 8, sha256="0" * 64)
    return Manifest(
        kind="data",
        job="job",
        incarnation="i",
        epoch=3,
        prev="",
        writer=Writer(id="w", host="host", pid=1, fence=2),
        fingerprint=Fingerprint(semantic="", query={}, engine="0", tzdata="2026a"),
        epoch_time_us=1_700_000_000_000_000,
        inputs=[Input(source="in", topic=_PART.topic, partition=7, start=0, stop=10, balance=balance, clock=clock)],
        outputs=[file],
    )


def every_event() -> list[object]:
    """At least one of each event the engine sends, with values from the edges."""
    record = a_manifest()
    return [
        Started(record, 0),
        Started(record, 5),
        Progress(3, 0, {}, {}, {}, 0),
        Progress(3, 10, {_PART: 10}, {_PART: 5}, {_PART: None}, 2),
        Progress(4, 10, {_PART: 10}, {}, {_PART: 2**62}, 2),
        Committed(record),
        Committed(record, {"read": 0.5}),
        Notice("info", "a sentence"),
        Notice("warning", "[bold]not markup[/nor this] \x00\x1b[2J \ud800 {not} %s a\nformat"),
        Notice("a level nobody knows", ""),
        Finished(1, record.balance, 4, 1, 4),
    ]


class ObserverConformance:
    """Subclass it with `observer`."""

    def observer(self) -> Observer:
        """Return the observer under test."""
        raise NotImplementedError

    def test_it_takes_every_event_in_any_order(self) -> None:
        for order in (every_event(), every_event()[::-1], every_event() * 3):
            observer = self.observer()
            for event in order:
                observer.notice(event)

    def test_it_takes_each_event_as_its_first(self) -> None:
        for event in every_event():
            self.observer().notice(event)

    def test_it_takes_what_it_does_not_know(self) -> None:
        observer = self.observer()
        for thing in (None, 1, "text", object(), Exception("one"), Started, _Foreign()):
            observer.notice(thing)

    def test_it_hears_from_the_engines_thread(self) -> None:
        observer, raised = self.observer(), []

        def engine() -> None:
            try:
                for event in every_event():
                    observer.notice(event)
            except Exception as error:  # noqa: BLE001 - told to the test
                raised.append(error)

        thread = threading.Thread(target=engine)
        thread.start()
        thread.join(10.0)
        assert (raised, thread.is_alive()) == ([], False)

    def test_the_suite_knows_every_event_there_is(self) -> None:
        kinds = {kind for kind in vars(events).values() if is_dataclass(kind) and kind.__module__ == events.__name__}

        assert kinds == {type(event) for event in every_event()}
