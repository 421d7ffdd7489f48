"""Both stores pass the suite every store must pass."""

import subprocess
import sys
from pathlib import Path

import pytest

from arrowflow.stores.local import LocalStore
from arrowflow.testing.conformance.stores import StoreConformance
from arrowflow.testing.stores import MemoryStore

WORKER = Path(__file__).with_name("race_worker.py")
SRC = Path(__file__).parents[2] / "src"


class TestLocalStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return LocalStore()

    @pytest.fixture
    def base(self, tmp_path):
        return str(tmp_path)

    def race(self, store, paths):
        """Real processes, spawned: they share nothing but the disk."""
        folder = str(Path(paths[0]).parent)
        started = [_start(f"w{i}", self.workers, folder, len(paths)) for i in range(self.workers)]
        won = [set(process.communicate(timeout=60)[0].split()) for process in started]
        print("names won per process:", [len(names) for names in won])
        assert sum(bool(names) for names in won) > 2, "the processes did not meet: the race proved nothing"
        return [[f"w{i}" for i in range(self.workers) if path in won[i]] for path in paths]


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    @pytest.fixture
    def base(self):
        return "/memory/base"


def _start(name, workers, folder, rounds):
    return subprocess.Popen(
        [sys.executable, str(WORKER), name, str(workers), folder, str(rounds)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(SRC)},
    )
