"""A start loads what the job needs and compiles nothing twice: seconds at each restart are seconds of an outage."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from tests.house.planting import ROOT

NOT_FOR_A_LOCAL_JOB = {
    "aiohttp", "duckdb", "fsspec", "gcsfs", "google.api_core", "google.auth", "google.cloud", "hypothesis", "noida_db",
    "pandas", "pytest", "requests", "rich", "scipy", "sphinx", "testing",
}  # fmt: skip

JOB = """
import json, sys
from pathlib import Path
from tests.chaos.replay_job import TO_THE_END, gold_over, write_archive
from arrowflow.engine import start

folder = Path(sys.argv[1])
write_archive(folder / "archive.ndjson", rows=100)
balance = start(gold_over(folder / "archive.ndjson", folder / "lake"), TO_THE_END).result().balance

from numba.core.dispatcher import Dispatcher
kernels = {
    f"{name}.{each}": (len(kernel.signatures), sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
    for name, module in sys.modules.items() if ".kernels." in name
    for each, kernel in vars(module).items() if isinstance(kernel, Dispatcher)
}
print(json.dumps({"read": balance.read, "modules": sorted(sys.modules), "kernels": kernels}))
"""


def run_job(folder):
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    told = subprocess.run(
        [sys.executable, "-c", JOB, str(folder)], env=env, capture_output=True, text=True, timeout=300, check=True
    )
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def second_start(tmp_path_factory):
    """What a process says that starts after another one has filled the cache of kernels."""
    run_job(tmp_path_factory.mktemp("first"))
    return run_job(tmp_path_factory.mktemp("second"))


def test_a_job_on_local_folders_loads_no_cloud_client_and_no_tool(second_start):
    loaded = set(second_start["modules"])

    assert second_start["read"] == 100
    assert {"numba", "polars", "pyarrow"} <= loaded
    assert sorted(NOT_FOR_A_LOCAL_JOB & loaded) == []


@pytest.mark.jit
def test_a_second_start_compiles_no_kernel(second_start):
    kernels = second_start["kernels"]

    assert len(kernels) >= 10
    assert {name: counts for name, counts in kernels.items() if counts != [1, 1, 0]} == {}
