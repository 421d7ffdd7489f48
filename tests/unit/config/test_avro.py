"""Mistakes in a file that reads Avro: each is found at its place, in a sentence that says what to do; and what is explained.

The sign ⌖ in a case stands before the character the problem must be placed at; it is taken out of the file.
"""

import json
from datetime import UTC, datetime

import pytest

from arrowflow.config import check, load, read
from arrowflow.config.explain import explain
from arrowflow.decoders.avro.spec import AvroSpec

FILE = """\
[pipeline]
name = "job"

[source.kafka]
brokers = "localhost:9092"
topics = ["events"]
format = "avro"

[source.kafka.avro]
schemas = "schemas"

[source.kafka.schema]
plant = "string"
at = "timestamp[ms]"
units = "int64"

[sink.parquet]
path = "lake/table"

[checkpoint]
path = "lake/_arrowflow/job"
"""
SCHEMA = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "plant", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "units", "type": ["null", "long"]},
        {"name": "lot", "type": {"type": "record", "name": "L", "fields": [{"name": "id", "type": "string"}]}},
    ],
}

CASES = [
    ("no table of schemas", '[source.kafka.avro]\nschemas = "schemas"\n', "", "source.kafka.avro", "write [source.kafka.avro] with schemas ="),
    ("no schemas", 'schemas = "schemas"\n', "", "source.kafka.avro.schemas", "is missing"),
    ("no folder", '"schemas"', '⌖"elsewhere"', "source.kafka.avro.schemas", "is not there: write a folder with a file <id>.avsc"),
    ("an empty folder", '"schemas"', '⌖"lake"', "source.kafka.avro.schemas", "holds no schema"),
    ("a file that is no schema", '"schemas"', '⌖"broken/7.avsc"', "source.kafka.avro.schemas", "schema 7: this is no JSON"),
    ("a file without an id", '"schemas"', '⌖"broken/named.avsc"', "source.kafka.avro.schemas", "named after its id"),
    ("a folder without framing", '"schemas"', '⌖"schemas"\nframing = "none"', "source.kafka.avro.schemas", "name one file"),
    ("a word for the framing", '"schemas"', '"schemas"\nframing = ⌖"confluent"', "source.kafka.avro.framing", '"confluent" is not one of registry, none'),
    ("a word for unknown schemas", '"schemas"', '"schemas"\nunknown_schema = ⌖"dead"', "source.kafka.avro.unknown_schema", '"dead" is not one of stop, dead_letter'),
    ("unknown schemas without framing", '"schemas"', '"schemas/7.avsc"\nframing = "none"\n⌖unknown_schema = "stop"', "source.kafka.avro.unknown_schema", "such records name no schema"),
    ("typo of a key", "schemas =", "⌖schema =", "source.kafka.avro.schema", 'did you mean "schemas"?'),
    ("schemas of another format", 'format = "avro"', 'format = "json"', "source.kafka.avro", 'belongs to format = "avro", and this is format = "json"'),
    ("coerce", 'format = "avro"', 'format = "avro"\n⌖coerce = true', "source.kafka.coerce", "its schema says what is a number"),
    ("no columns", 'plant = "string"\nat = "timestamp[ms]"\nunits = "int64"\n', "", "source.kafka.schema", 'format = "avro" needs the columns to read'),
    ("a column that is not there", 'plant = "string"', 'plnt = ⌖"string"', "source.kafka.schema.plnt", "did you mean 'plant'?"),
    ("a column of another type", 'units = "int64"', 'units = ⌖"string"', "source.kafka.schema.units", "write \"int64\""),
    ("a column in a column", 'units = "int64"', 'units = ⌖{ type = "string", path = "lot.name" }', "source.kafka.schema.units", "no such field in 'lot' of schema 7, only id"),
    ("a type that is none", 'units = "int64"', 'units = ⌖"long"', "source.kafka.schema.units", 'did you mean "int64"?'),
]  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("schemas", "broken", "lake"):
        (tmp_path / folder).mkdir()
    (tmp_path / "schemas" / "7.avsc").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (tmp_path / "broken" / "7.avsc").write_text("{", encoding="utf-8")
    (tmp_path / "broken" / "named.avsc").write_text(json.dumps(SCHEMA), encoding="utf-8")
    return tmp_path


def written(folder, text):
    before, mark, after = text.partition("⌖")
    file = folder / "job.toml"
    file.write_text(before + after, encoding="utf-8")
    return file, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}" if mark else None


@pytest.mark.parametrize(
    ("old", "new", "key", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_every_mistake_is_told_once_at_its_place_with_what_to_do(here, old, new, key, sentence):
    assert old in FILE
    file, place = written(here, FILE.replace(old, new, 1))

    problems = check(file, {})

    (told,) = [problem for problem in problems if problem.key == key and sentence in problem.sentence]
    assert place in (None, f"{told.place.line}:{told.place.column}")


def test_the_file_of_the_table_is_valid_and_its_schemas_come_from_the_folder(here):
    file, _ = written(here, FILE)

    decoder = load(file, {}).source.decoder

    assert check(file, {}) == []
    assert isinstance(decoder, AvroSpec)
    assert (list(decoder.schemas), decoder.unknown) == ([7], "stop")


def test_records_without_framing_have_one_schema(here):
    file, _ = written(here, FILE.replace('"schemas"', '"broken/named.avsc"\nframing = "none"'))

    assert json.loads(load(file, {}).source.decoder.schemas) == SCHEMA


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            FILE,
            (
                "behind its schema's id, by the schemas in schemas; plant, at, units are read",
                "stops the run before it",
            ),
        ),
        (FILE.replace('"schemas"', '"schemas"\nunknown_schema = "dead_letter"'), ("is a dead letter: unknown_schema",)),
        (
            FILE.replace('"schemas"', '"schemas/7.avsc"\nframing = "none"'),
            ("without framing, written by the schema in schemas/7.avsc",),
        ),
    ],
)
def test_it_is_explained_what_is_read_and_what_becomes_of_an_unknown_schema(here, text, sentences):
    file, _ = written(here, text)

    told = "\n".join(dict(explain(read(file, {}), datetime(2026, 1, 1, tzinfo=UTC)).parts)["source"])

    assert all(sentence in told for sentence in sentences), told
