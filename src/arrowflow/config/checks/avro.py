"""Whether Avro records can be read: the schemas are there, and have what the columns want of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from arrowflow.config import build, columns, settings
from arrowflow.config.checks.common import one_source
from arrowflow.config.document import Document
from arrowflow.config.problem import Path, Problem, dotted
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError


def avro(sections: Sections, document: Document, _: Mapping[str, str]) -> Iterator[Problem]:
    """Complain of schemas that cannot be read, and of columns they do not have."""
    found = one_source(sections)
    if found is None:
        return
    path, source = found
    place = (*path, "avro")
    if source.format != "avro":
        if source.avro is not None:
            yield document.problem(
                place, f'belongs to format = "avro", and this is format = "{source.format}"', at_key=True
            )
        return
    if source.coerce:
        yield document.problem(
            (*path, "coerce"), 'has no meaning with format = "avro": its schema says what is a number', at_key=True
        )
    if source.avro is None:
        yield document.problem(
            place,
            f'format = "avro" needs the schemas of the records: write [{dotted(place)}] with schemas = "<folder>", which '
            "holds a file <id>.avsc for each",
            at_key=True,
        )
    elif source.avro.framing == "none" and "unknown_schema" in source.avro.model_fields_set:
        yield document.problem(
            (*place, "unknown_schema"), 'has no meaning with framing = "none": such records name no schema', at_key=True
        )
    else:
        yield from _schemas(path, source, source.avro, document)


def _schemas(
    path: Path,
    source: settings.KafkaSection | settings.ReplaySection,
    section: settings.AvroSection,
    document: Document,
) -> Iterator[Problem]:
    from arrowflow.decoders.avro.spec import faults, read_writers, texts_by_id

    try:
        writers = read_writers(texts_by_id(build.build_schemas(section)[0]))
    except ConfigError as error:
        yield document.problem((*path, "avro", "schemas"), str(error))
        return
    good = {name: column for name, column in source.columns.items() if columns.name_fault(name) is None}
    try:
        fields = tuple(build.build_field(name, column) for name, column in good.items())
    except ConfigError:  # another check says it
        return
    for field, sentence in faults(fields, writers):
        where: Path = (*path, "avro", "schemas") if field is None else (*path, "schema", field.name)
        yield document.problem(where, sentence)
