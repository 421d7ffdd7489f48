"""Topics that take rows: names, clusters, keys, settings; and that nothing reads what it writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pyarrow as pa

from arrowflow.config import build, settings
from arrowflow.config.checks.common import no_column, twice
from arrowflow.config.document import Document
from arrowflow.config.durations import duration_text
from arrowflow.config.problem import Path, Problem, dotted, listed, meant, shown
from arrowflow.config.secrets import SecretReference
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_SHORTEST_US, _LONGEST_US = 1_000_000, 900_000_000


def place_of(name: str) -> Path:
    """Where the topic of a sink stands in a file."""
    return (name,) if name in ("late", "dead_letter") else ("sink", name)


def _topics(sections: Sections, document: Document, env: Mapping[str, str]) -> Iterator[Problem]:
    taken: dict[tuple[str, str], Path] = {}
    for name, topic in sections.topics.items():
        path = place_of(name)
        if topic.kind is None and path[0] == "sink" and name != "kafka":
            yield document.problem(path, 'say its kind: add kind = "kafka"', at_key=True)
        if not _TOPIC.fullmatch(topic.topic) or topic.topic in (".", ".."):
            yield document.problem(
                (*path, "topic"),
                f"{shown(topic.topic)} is no topic name: Kafka allows ASCII letters, digits, `.`, `_` and `-`, at most 249",
            )
        yield from _cluster(path, topic, sections, document)
        yield from _settings(path, topic, document, env)
        yield from twice(document, (*path, "key"), topic.key)
        if not _SHORTEST_US <= topic.transaction_timeout <= _LONGEST_US:
            yield document.problem(
                (*path, "transaction_timeout"),
                f"{duration_text(topic.transaction_timeout)} is not between 1s and 15m, the longest that brokers allow unless told otherwise",
            )
        where = (_brokers(topic, sections), topic.topic)
        if where in taken:
            yield document.problem(
                (*path, "topic"),
                f"{shown(topic.topic)} is the topic of {dotted(taken[where])} already; each needs its own",
            )
        taken.setdefault(where, path)


def _brokers(topic: settings.TopicSection, sections: Sections) -> str:
    kafka = None if sections.source is None else sections.source.kafka
    return topic.brokers or ("" if kafka is None else kafka.brokers)


def _cluster(path: Path, topic: settings.TopicSection, sections: Sections, document: Document) -> Iterator[Problem]:
    kafka = None if sections.source is None else sections.source.kafka
    if not sections.whole("source"):
        return
    if topic.brokers is None and kafka is None:
        yield document.problem(
            path, "needs `brokers`: the source is no Kafka cluster whose topic this could be", at_key=True
        )
    embedded = kafka is not None and kafka.brokers == build.EMBEDDED
    if topic.brokers == build.EMBEDDED and not embedded:
        yield document.problem(
            (*path, "brokers"), '"embedded" is the broker that the source starts, and this source starts none'
        )
    elif topic.brokers is not None and topic.brokers != build.EMBEDDED:
        for broker in topic.brokers.split(","):
            if not _BROKER.fullmatch(broker.strip()):
                yield document.problem(
                    (*path, "brokers"),
                    f'{shown(broker.strip())} is no broker: write "host:port", several separated by commas{meant(broker, [build.EMBEDDED])}',
                )
    if kafka is not None and topic.topic in kafka.topics and _brokers(topic, sections) == kafka.brokers:
        yield document.problem(
            (*path, "topic"), f"{shown(topic.topic)} is a topic this job reads: it would read what it writes, for ever"
        )


def _settings(
    path: Path, topic: settings.TopicSection, document: Document, env: Mapping[str, str]
) -> Iterator[Problem]:
    from arrowflow.sinks.kafka.spec import problems

    for name, sentence in problems(dict.fromkeys(topic.properties, "")).items():
        yield document.problem((*path, "properties", name), sentence, at_key=True)
    for name, value in topic.properties.items():
        if isinstance(value, SecretReference):
            try:
                value.reveal(env)
            except ConfigError as error:
                yield document.problem((*path, "properties", name), str(error))


def keys(sections: Sections, result: pa.Schema, rows: pa.Schema, document: Document) -> Iterator[Problem]:
    """Complain of keys that are no columns, or that a correction would change, and of columns without a form in JSON.

    `result` are the columns of a result, `rows` those of a row on its way to the window.
    """
    from arrowflow.phases.tables import dead_schema, late_schema
    from arrowflow.sinks.kafka.values import check_types, value_names

    for name, topic in sections.topics.items():
        path = place_of(name)
        schema = {"late": late_schema(rows), "dead_letter": dead_schema()}.get(name, result)
        for index, column in enumerate(topic.key):
            if column not in value_names(schema):
                yield document.problem((*path, "key", index), no_column(column, value_names(schema)))
        try:
            check_types(schema, name)
        except ConfigError as error:
            yield document.problem(path, str(error), at_key=True)
        if path[0] == "sink":
            yield from _revisions(path, topic, sections, document)
            yield from _updates(path, topic, sections, document)
        elif topic.mode == "update":
            yield document.problem((*path, "mode"), "is for topics of results: rows that come here have no later value")


def _revisions(path: Path, topic: settings.TopicSection, sections: Sections, document: Document) -> Iterator[Problem]:
    """Under corrections all revisions of a window must meet in one partition, in their order."""
    window = sections.window
    if window is None or window.late != "correct":
        return
    identity = build.build_window(window, sections, {}).identity
    if not topic.key:
        yield document.problem(
            path,
            f'late = "correct" gives later revisions, and only records of one key stay in their order: write key = {list(identity)}',
            at_key=True,
        )
    if moving := sorted(set(topic.key) - set(identity)):
        yield document.problem(
            (*path, "key"),
            f"a correction may change {listed(moving)}, and the record would go to another partition: with "
            f'late = "correct" take keys from what names a window, {listed(identity)}',
        )


def _updates(path: Path, topic: settings.TopicSection, sections: Sections, document: Document) -> Iterator[Problem]:
    """In the mode "update" the newest record of a key counts, so the key must be the name of a window, for good."""
    window = sections.window
    if topic.mode != "update" or window is None:
        return
    if window.type in ("session", "sliding"):
        yield document.problem(
            (*path, "mode"),
            f'"update" needs windows whose bounds stay as they are, and {window.type} windows grow, merge or come and go with their '
            'rows: show those in a preview, kind = "preview"',
        )
        return
    identity = build.build_window(window, sections, {}).identity
    if set(topic.key) != set(identity):
        where = (*path, "key") if topic.key else (*path, "mode")
        yield document.problem(
            where,
            f'in mode "update" the newest record of a key counts: write key = {list(identity)}, which names a window',
        )


CHECKS = (_topics,)
