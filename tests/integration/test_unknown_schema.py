"""A topic that gets a schema nobody gave us: the run stops, nothing is lost, and with the schema's file it goes on."""

import shutil
from dataclasses import replace

import pytest
from tests.chaos.replay_job import TO_THE_END
from tests.support.dealt import DealtSpec
from tests.support.sampled import FOLDER, differences, recorded

from arrowflow.config import load
from arrowflow.decoders.avro.spec import AvroSpec
from arrowflow.engine import start
from arrowflow.errors import PromiseBroken, StateRefused
from arrowflow.samples import stream
from arrowflow.samples.answers.scada import scada_avro


def job(lake, schemas, records, **changes):
    """The Avro configuration over these records, with the schemas of a folder."""
    pipeline = load(
        FOLDER / "scada_avro.toml",
        {"ARROWFLOW_LAKE": str(lake), "ARROWFLOW_BROKERS": "127.0.0.1:1", "ARROWFLOW_SCHEMAS": str(schemas)},
    )
    decoder = replace(pipeline.source.decoder, **changes)
    source = replace(pipeline.source, spec=DealtSpec(records, 1, 20), decoder=decoder)
    return replace(pipeline, source=source, checkpoint=replace(pipeline.checkpoint, max_epoch_rows=60))


@pytest.fixture
def schemas(tmp_path):
    """A folder with the first schema only."""
    folder = tmp_path / "schemas"
    folder.mkdir()
    shutil.copy(FOLDER / "schemas" / "7.avsc", folder)
    return folder


@pytest.fixture(scope="module")
def records():
    """The sample without the records of the schema that is in no file."""
    return tuple(
        record
        for record in stream("scada_avro", rows=1500, seed=3).records()
        if record.value is None or record.value[:5] != b"\0\0\0\0\x63"
    )


def test_the_run_stops_at_an_unknown_schema_and_goes_on_with_its_file_as_if_nothing_had_been(
    tmp_path, schemas, records
):
    lake = tmp_path / "lake"
    with pytest.raises(
        PromiseBroken, match=r"offset \d+: the record was written by schema 12, and there are only 7\. .*12\.avsc"
    ):
        start(job(lake, schemas, records, unknown="stop"), TO_THE_END).result()
    stopped = recorded(job(lake, schemas, records))
    shutil.copy(FOLDER / "schemas" / "12.avsc", schemas)

    start(job(lake, schemas, records, unknown="stop"), TO_THE_END).result()

    assert 0 < stopped.read < len(records)
    assert "unknown_schema" not in stopped.dead_lettered
    assert differences(job(lake, schemas, records), scada_avro(records)) == []


def test_a_poisoned_topic_is_passed_by_taking_such_records_for_dead_letters(tmp_path, schemas, records):
    lake = tmp_path / "lake"
    shutil.copy(FOLDER / "schemas" / "12.avsc", schemas)
    poisoned = (*records[:700], records[0]._replace(value=b"\0\0\0\0\x63"), *records[700:])
    with pytest.raises(PromiseBroken, match="schema 99"):
        start(job(lake, schemas, poisoned, unknown="stop"), TO_THE_END).result()

    start(job(lake, schemas, poisoned, unknown="dead_letter"), TO_THE_END).result()

    assert differences(job(lake, schemas, poisoned), scada_avro(poisoned)) == []
    assert recorded(job(lake, schemas, poisoned)).dead_lettered["unknown_schema"] == 1


def test_a_schema_that_changes_or_goes_is_refused(tmp_path, schemas, records):
    lake = tmp_path / "lake"
    shutil.copy(FOLDER / "schemas" / "12.avsc", schemas)
    start(job(lake, schemas, records), TO_THE_END).result()
    other = (schemas / "12.avsc").read_text("utf-8").replace("timestamp-micros", "timestamp-millis")
    (schemas / "12.avsc").write_text(other, encoding="utf-8")

    with pytest.raises(StateRefused, match=r"schemas\.12: "):
        start(job(lake, schemas, records), TO_THE_END).result()

    (schemas / "12.avsc").unlink()
    with pytest.raises(StateRefused, match=r"schemas\.12: .* -> \(none\)"):
        start(job(lake, schemas, records), TO_THE_END).result()


def test_the_spec_of_the_configuration_is_avro(tmp_path, schemas, records):
    assert isinstance(job(tmp_path, schemas, records).source.decoder, AvroSpec)
