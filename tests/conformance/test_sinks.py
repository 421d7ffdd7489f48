"""Each sink passes the suite every sink must pass, over each store it can use."""

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from arrowflow.protocols import Control
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.stores.local import LocalStore
from arrowflow.testing.conformance.sinks import SinkConformance
from arrowflow.testing.sinks import MemorySinkSpec
from arrowflow.testing.stores import MemoryStore


class TestParquetOnDisk(SinkConformance):
    """Read back by pyarrow's own dataset, which knows nothing of us."""

    partition_by = ()

    @pytest.fixture
    def spec(self, tmp_path):
        return ParquetSpec(str(tmp_path / "table"), self.partition_by)

    @pytest.fixture
    def control(self, tmp_path):
        return Control(LocalStore(), str(tmp_path / "control"))

    def published(self, spec, control):
        del control
        partitioning = ds.partitioning(pa.schema([("k", pa.string())]), flavor="hive") if spec.partition_by else None
        try:
            return ds.dataset(spec.root, partitioning=partitioning, format="parquet").to_table().to_pylist()
        except FileNotFoundError:
            return []


class TestPartitionedParquetOnDisk(TestParquetOnDisk):
    partition_by = ("k",)


class TestParquetInMemory(SinkConformance):
    @pytest.fixture
    def spec(self):
        return ParquetSpec("/memory/table")

    @pytest.fixture
    def control(self):
        return Control(MemoryStore(), "/memory/control")

    def published(self, spec, control):
        files = control.store.list(spec.root)
        return [row for path in files for row in pq.read_table(pa.BufferReader(control.store.read(path))).to_pylist()]


class TestMemorySink(SinkConformance):
    @pytest.fixture
    def spec(self):
        return MemorySinkSpec()

    @pytest.fixture
    def control(self):
        return Control(MemoryStore(), "/memory/control")

    def published(self, spec, control):
        return spec.rows(control.store)
