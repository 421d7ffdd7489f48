"""Settings of the whole suite: Hypothesis profiles, and what is skipped where kernels are not compiled.

`HYPOTHESIS_PROFILE` picks a profile: `dev` (the default) tries new examples each time, `ci` always the same ones, so
that a red build stays red, `soak` many more for tests that do not state their own number. No profile has a deadline:
the first call of a kernel may compile it, and machines are busy.
"""

from __future__ import annotations

import os

import numba
import pytest
from hypothesis import settings
from tests.realparts.fixtures import embedded, kafka
from tests.support.order import long_files_first

__all__ = ["embedded", "kafka"]
"""Fixtures for every folder of tests: one broker of each kind per session."""

settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("soak", deadline=None, print_blob=True, max_examples=5000)
settings.register_profile("few", deadline=None, print_blob=True, derandomize=True, max_examples=5)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "dev")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With ``-n``, deal whole files and not single tests."""
    from tests.support.workers import ByShare

    config.option.loadscopereorder = False  # the order is that of `long_files_first`
    return ByShare(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files, and skip tests marked `jit` where kernels run as plain Python."""
    long_files_first(items)
    if not numba.config.DISABLE_JIT:
        return
    skip = pytest.mark.skip(reason="needs compiled kernels; NUMBA_DISABLE_JIT is set")
    for item in items:
        if item.get_closest_marker("jit"):
            item.add_marker(skip)
