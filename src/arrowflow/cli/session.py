"""What one call of the command line shares between its verbs: the doors to the engine, and what must not be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from arrowflow.events import Finished
    from arrowflow.failpoints import Failpoints
    from arrowflow.pipeline import Pipeline, RunOptions
    from arrowflow.protocols import Observer


class Handle(Protocol):
    """A run at work, as the engine hands it out."""

    def stop(self) -> None:
        """Ask it to commit what it has and end; returns at once."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; return whether it has ended."""

    def result(self) -> Finished:
        """Return the totals, or raise what ended it."""


class Start(Protocol):
    """How a run is started: `arrowflow.engine.start`, or what stands in for it."""

    def __call__(
        self, pipeline: Pipeline, options: RunOptions, *, observer: Observer, failpoints: Failpoints
    ) -> Handle:
        """Start `pipeline` and return its handle."""


def _load(path: str) -> Pipeline:
    from arrowflow.config import load

    return load(path)


def _start(pipeline: Pipeline, options: RunOptions, *, observer: Observer, failpoints: Failpoints) -> Handle:
    from arrowflow.engine import start

    return start(pipeline, options, observer=observer, failpoints=failpoints)


@dataclass(slots=True)
class Session:
    """One call of the command line; pass your own as `obj` to drive it with another engine.

    Parameters
    ----------
    load : callable
        Reads a configuration file.
    start : callable
        Starts a pipeline.
    traceback : bool
        Whether errors show where they arose.
    secrets : set of str
        Never printed, wherever they turn up.
    """

    load: Callable[[str], Pipeline] = _load
    start: Start = _start
    traceback: bool = False
    secrets: set[str] = field(default_factory=set)

    def clean(self, text: str) -> str:
        """Return one line of `text` that is safe to print: secrets masked, control characters escaped."""
        from arrowflow.config.problem import printable

        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return printable(text)

    def keep_secret(self, pipeline: Pipeline) -> None:
        """Remember every secret that `pipeline` carries."""
        from arrowflow.config.secrets import SecretText

        for spec in (pipeline.source.spec, *(node.spec for node in pipeline.sinks)):
            properties = getattr(spec, "properties", {})
            self.secrets.update(value for value in properties.values() if isinstance(value, SecretText))
