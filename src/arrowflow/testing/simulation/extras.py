"""What a simulated job has beside its tables: topics that take the same rows, and a horizon below which it collects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from arrowflow.sinks.kafka.spec import KafkaSinkSpec
from arrowflow.testing.simulation.director import Director
from arrowflow.testing.simulation.leftovers import Leftovers
from arrowflow.testing.simulation.parts import Stage
from arrowflow.testing.simulation.readers import Readers, Seen
from arrowflow.testing.simulation.streams import Setup
from arrowflow.testing.simulation.topics import SimulatedCluster
from arrowflow.testing.simulation.verifier import Row

ALERTS = "alerts"
"""The topic beside the table of rows."""


@dataclass(frozen=True, slots=True)
class Extras:
    """Drawn for a history, the same for all its runs.

    Parameters
    ----------
    topics : tuple of str
        Sinks that are topics: `ALERTS`, and late rows or dead letters in the place of their tables.
    partitions : int
        Of each topic.
    key : tuple of str
        Of the records of `ALERTS`.
    restarts : float
        How likely the cluster stops after it has answered a commit.
    keep_records : int or None
        So many records are kept; None collects nothing.
    keep_for_s : float
        And for so long.
    """

    topics: tuple[str, ...] = ()
    partitions: int = 1
    key: tuple[str, ...] = ()
    restarts: float = 0.0
    keep_records: int | None = None
    keep_for_s: float = 0.0


def draw_extras(dice: Random, setup: Setup) -> Extras:
    """Draw whether a job has topics, and whether it collects."""
    named = [("k",), ("k", "window_start")]
    has_topics, collects = dice.random() < 0.5, dice.random() < 0.7
    aside = tuple(name for name in ("late", "dead") if dice.random() < 0.3)
    return Extras(
        topics=(ALERTS, *aside) if has_topics else (),
        partitions=dice.randint(1, 3),
        key=dice.choice(named if setup.late == "correct" else [(), *named]),
        restarts=dice.choice((0.0, 0.0, 0.2)),
        keep_records=dice.choice((1, 2, 5)) if collects else None,
        keep_for_s=dice.choice((0.0, 0.0, 20.0)),
    )


class Outside:
    """The cluster of a history, and those who look at its topics and at what is collected.

    Parameters
    ----------
    extras : Extras
        Of the history.
    director : Director
        Of the history.
    prefix : str
        The control prefix.
    roots : mapping
        The root of each table by the name of its sink.
    """

    def __init__(self, extras: Extras, director: Director, prefix: str, roots: Mapping[str, str]) -> None:
        self.extras, self.director = extras, director
        self.cluster = SimulatedCluster(self, extras.restarts)
        self.readers = {name: Readers(name, prefix) for name in extras.topics}
        for name in extras.topics:
            self.cluster.memory.create_topic(name, extras.partitions)
        self.leftovers = Leftovers(prefix, roots)
        self.tidied = False
        """Whether the owner was given time to collect what there is."""

    def spec(self, name: str, stage: Stage) -> KafkaSinkSpec:
        """A topic as the sink of one run: the same records, in transactions of its own bounds."""
        dice = self.director.dice
        return KafkaSinkSpec(
            name,
            "simulated:9092",
            key=self.extras.key if name == ALERTS else (),
            transaction_timeout_s=dice.choice((1.0, 5.0, 60.0)),
            chunk_rows=dice.choice((1, 2, 50)),
            connect=self.cluster.connect(stage),
        )

    # ---- the listener of the cluster -------------------------------------------------------------------------------

    def changed(self, topic: str) -> None:
        """Let readers of committed records look."""
        reader = self.readers[topic]
        seen = self._seen(topic)
        reader.loses = reader.loses or self.cluster.lost > 0
        if seen != reader.seen:
            reader.look(seen)

    def marked(self, topic: str, offset: int, note: str) -> None:
        """Hold a marker against the log."""
        self.readers[topic].loses |= self.cluster.lost > 0
        self.readers[topic].marked(offset, note)

    def _seen(self, topic: str) -> tuple[Seen, ...]:
        memory = self.cluster.memory
        return tuple(
            Seen(partition, record.key, record.value, record.headers)
            for partition in range(memory.partitions(topic))
            for record in memory.committed(topic, partition)
        )

    # ---- the verdict -----------------------------------------------------------------------------------------------

    def tables(self) -> dict[str, list[Row]]:
        """The rows of topics that stand in the place of a table."""
        return {name: reader.rows() for name, reader in self.readers.items() if name != ALERTS}

    def finish(self, rows: Sequence[Row], objects: Mapping[str, bytes]) -> list[str]:
        """All is over: what is wrong with topics and with what is left; `rows` are those of the table beside `ALERTS`."""
        wrong: list[str] = []
        for name, reader in self.readers.items():
            self.changed(name)
            reader.finish(rows if name == ALERTS else None)
            wrong += reader.wrong
        return [*wrong, *self.leftovers.finish(objects)] if self.tidied else wrong
