"""Windows of every kind, counts and exact float sums per key, beside polars told all rows at once; answers equal."""

from __future__ import annotations

import pytest

from arrowflow.bench import windows
from arrowflow.bench.rows import batches_of, fed


@pytest.fixture(scope="module")
def asked(request):
    """Rows of a kind, in batches and as polars holds them."""

    def of(kind):
        rows = 20_000 if request.config.getoption("benchmark_disable") else 1_000_000
        table = windows.rows_of(kind, rows, rows // 200, hours=4.0)
        return batches_of(table), windows.as_polars(table)

    return of


@pytest.mark.benchmark(group="windows")
@pytest.mark.parametrize("kind", windows.KINDS)
def test_windows(benchmark, asked, kind):
    batches, frame = asked(kind)

    mine = benchmark.pedantic(fed, args=(windows.spec_of(kind), batches), rounds=3, warmup_rounds=1)

    assert windows.difference(mine, windows.polars_answer(kind, frame)) is None


@pytest.mark.benchmark(group="windows")
def test_tumbling_windows_in_polars(benchmark, asked):
    frame = asked("tumbling")[1]

    found = benchmark.pedantic(windows.polars_answer, args=("tumbling", frame), rounds=3, warmup_rounds=1)

    assert found["n"].sum() == len(frame)
