"""Each sink passes the suite every sink must pass, over each store it can use."""

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.support.buckets import BUCKET, store_at, strict_fake

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


class TestParquetInABucket(SinkConformance):
    """Read back from the objects of the bucket, whoever made them."""

    @pytest.fixture(autouse=True, params=[True, False], ids=["moves", "copies"])
    def fake(self, request):
        with strict_fake(moves=request.param) as fake:
            yield fake

    @pytest.fixture
    def spec(self, fake):
        self.objects = lambda: fake.snapshot(BUCKET)
        return ParquetSpec(f"gs://{BUCKET}/table", ("k",))

    @pytest.fixture
    def control(self, fake):
        return Control(store_at(f"gs://{BUCKET}/control"), f"gs://{BUCKET}/control")

    def published(self, spec, control):
        rows = []
        for name, data in self.objects().items():
            if name.startswith("table/"):
                folder = name.split("/")[1].removeprefix("k=")
                key = None if folder == "__HIVE_DEFAULT_PARTITION__" else folder
                rows += [{**row, "k": key} for row in pq.read_table(pa.BufferReader(data)).to_pylist()]
        return rows


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
