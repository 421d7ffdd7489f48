"""How many seeds the fuzzer of answers tries: few in a build, `ARROWFLOW_SEEDS` of them at a desk."""

import os

import pytest


@pytest.fixture
def fuzz_seeds():
    return range(int(os.environ.get("ARROWFLOW_SEEDS") or 60))
