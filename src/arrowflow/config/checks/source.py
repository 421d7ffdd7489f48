"""Where records come from: brokers, topics, schema, the embedded broker, archived files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from arrowflow.config import build, columns, settings
from arrowflow.config.checks.avro import avro
from arrowflow.config.checks.common import SCHEME, local, one_source, twice, written_folders
from arrowflow.config.document import Document
from arrowflow.config.problem import Path, Problem, dotted, listed, meant, shown
from arrowflow.config.secrets import SecretReference
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_FORMATS_WITHOUT_SCHEMA = frozenset({"raw"})


def _one_source(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    source = sections.source
    if source is None:
        return
    if source.kafka is None and source.replay is None:
        yield document.problem(("source",), "names no source: write [source.kafka] or [source.replay]", at_key=True)
    if source.kafka is not None and source.replay is not None:
        yield document.problem(
            ("source", "replay"), "one file has one source for now: keep [source.kafka] or [source.replay]", at_key=True
        )


def _schema(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    found = one_source(sections)
    if found is None:
        return
    path, source = found
    if source.format in _FORMATS_WITHOUT_SCHEMA:
        if source.columns:
            yield document.problem(
                (*path, "schema"),
                f'has no meaning with format = "{source.format}", which keeps messages as they are',
                at_key=True,
            )
        return
    if not source.columns:
        where = dotted((*path, "schema"))
        yield document.problem(
            (*path, "schema"),
            f'format = "{source.format}" needs the columns to read: write [{where}] with lines such as name = "string"',
            at_key=True,
        )
    for name, column in source.columns.items():
        if (fault := columns.name_fault(name)) is not None:
            yield document.problem((*path, "schema", name), fault, at_key=True)
        elif (fault := _column_fault(name, column)) is not None:
            yield document.problem((*path, "schema", name), fault)


def _column_fault(name: str, column: settings.ColumnSettings) -> str | None:
    other = _OTHER_TYPES.get(column.type.lower())
    if other is not None:
        return f'{shown(column.type)} is no column type – did you mean "{other}"?'
    try:
        build.build_field(name, column)
    except ConfigError as error:
        return str(error)
    return None


_OTHER_TYPES = {
    "str": "string", "text": "string", "varchar": "string", "utf8": "string",
    "int": "int64", "integer": "int64", "long": "int64", "bigint": "int64",
    "float": "float64", "double": "float64", "real": "float64", "number": "float64",
    "numeric": "decimal(12, 2)", "money": "decimal(19, 4)", "boolean": "bool", "timestamp": "timestamp[ms]", "datetime": "timestamp[iso]",
}  # fmt: skip


def _kafka(sections: Sections, document: Document, env: Mapping[str, str]) -> Iterator[Problem]:
    kafka = sections.source.kafka if sections.source is not None else None
    if kafka is None:
        return
    path: Path = ("source", "kafka")
    yield from twice(document, (*path, "topics"), kafka.topics)
    for index, topic in enumerate(kafka.topics):
        if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
            yield document.problem(
                (*path, "topics", index),
                f"{shown(topic)} is no topic name: Kafka allows ASCII letters, digits, `.`, `_` and `-`, at most 249",
            )
    if kafka.brokers != build.EMBEDDED:
        for broker in kafka.brokers.split(","):
            if not _BROKER.fullmatch(broker.strip()):
                yield document.problem(
                    (*path, "brokers"),
                    f'{shown(broker.strip())} is no broker: write "host:port", several separated by commas, or "embedded"{meant(broker, [build.EMBEDDED])}',
                )
    for name, value in kafka.properties.items():
        if isinstance(value, SecretReference):
            try:
                value.reveal(env)
            except ConfigError as error:
                yield document.problem((*path, "properties", name), str(error))
    yield from _kafka_properties(kafka, document)


def _kafka_properties(kafka: settings.KafkaSection, document: Document) -> Iterator[Problem]:
    from arrowflow.sources.kafka.properties import problems

    for name, sentence in problems(dict.fromkeys(kafka.properties, "")).items():
        yield document.problem(("source", "kafka", "properties", name), sentence, at_key=True)


def _embedded(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    kafka = sections.source.kafka if sections.source is not None else None
    if kafka is None or kafka.brokers != build.EMBEDDED or not sections.whole("pipeline", "sink", "checkpoint"):
        return
    path: Path = ("source", "kafka", "brokers")
    folders = written_folders(sections)
    if any(SCHEME.match(root) for _, root in folders):
        yield document.problem(
            path, '"embedded" works only with results and records on the local disk; set the brokers for a remote lake'
        )
        return
    lake = build.lake_folder(sections)
    if lake == os.path.dirname(lake):  # noqa: PTH120 (of text)
        yield document.problem(
            path,
            f'"embedded" keeps its data beside the results, and these paths share no folder but {shown(lake)}: put them under one, such as ./lake',
        )
        return
    yield from _sample(kafka, document)


def _sample(kafka: settings.KafkaSection, document: Document) -> Iterator[Problem]:
    from arrowflow.samples import NAMES, stream

    if kafka.sample not in NAMES:
        yield document.problem(
            ("source", "kafka", "sample"),
            f"{shown(kafka.sample)} is not one of {listed(NAMES)}{meant(kafka.sample, NAMES)}",
        )
        return
    known = stream(kafka.sample, rows=kafka.sample_rows, seed=kafka.sample_seed).partitions
    for index, topic in enumerate(kafka.topics):
        if topic not in known:
            yield document.problem(
                ("source", "kafka", "topics", index),
                f'the sample "{kafka.sample}" fills {listed(known)}, not {shown(topic)}{meant(topic, known)}',
            )


def _replay(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    replay = sections.source.replay if sections.source is not None else None
    if replay is None:
        return
    yield from twice(document, ("source", "replay", "paths"), replay.paths)
    for index, path in enumerate(replay.paths):
        yield from local(document, ("source", "replay", "paths", index), path)
    if not replay.envelope and replay.topic is None:
        yield document.problem(
            ("source", "replay", "envelope"), "without an envelope the files do not say their topic: add `topic`"
        )


CHECKS = (_one_source, _schema, avro, _kafka, _embedded, _replay)
