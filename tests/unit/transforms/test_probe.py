"""The second lock: a step that looks at other rows is caught by trial."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from arrowflow.errors import ConfigError
from arrowflow.transforms import Filter, check_rowwise

SCHEMA = pa.schema([("v", pa.float64()), ("n", pa.int64()), ("s", pa.string()), ("t", pa.timestamp("us", "UTC"))])


def polars_filter(expression):
    """A filter that trusts Polars with any expression."""

    def apply(table):
        frame = pl.DataFrame(pl.from_arrow(table))
        mask = frame.select(expression.fill_null(value=False).alias("m"))["m"].to_numpy()
        return table.filter(pa.array(mask)), mask

    return apply


@pytest.mark.parametrize(
    "expression",
    [
        pl.sql_expr("v > avg(v)"),
        pl.col("n") > pl.col("n").mean(),
        pl.col("n") >= pl.col("n").shift(1),
        pl.col("n").cum_sum() > 3,
        pl.col("s").is_duplicated(),
        pl.col("n").rank() > 3,
        pl.int_range(pl.len()) % 2 == 0,
        pl.col("n") == pl.col("n").first(),
        pl.col("s").over("n").is_first_distinct(),
    ],
    ids=str,
)
def test_an_expression_over_many_rows_is_refused_though_polars_takes_it(expression):
    with pytest.raises(ConfigError, match="looks at other rows"):
        check_rowwise(polars_filter(expression), SCHEMA, "the filter")


@pytest.mark.parametrize("expression", [pl.col("n") > 3, pl.col("s").is_null(), pl.lit(1) == pl.col("v")], ids=str)
def test_an_expression_over_its_own_row_passes(expression):
    check_rowwise(polars_filter(expression), SCHEMA, "the filter")


def test_polars_own_answer_is_not_enough():
    assert (pl.col("v") > pl.col("v").mean()).meta.is_row_separable()


def test_a_step_that_fails_on_a_value_is_refused():
    with pytest.raises(ConfigError, match="fails on generated rows"):
        check_rowwise(polars_filter(pl.col("s").cast(pl.Int64) > 1), SCHEMA, "the filter")


def test_a_mask_that_does_not_fit_the_rows_is_refused():
    with pytest.raises(ConfigError, match="a step returned"):
        check_rowwise(lambda table: (table, np.zeros(table.num_rows, np.bool_)), SCHEMA, "the step")


def test_a_branch_that_only_some_value_reaches_is_tried_because_the_expression_names_it():
    hidden = pl.when(pl.col("s") == "rare").then(pl.col("n") > pl.col("n").mean()).otherwise(pl.lit(value=True))

    check_rowwise(polars_filter(hidden), SCHEMA, "the filter")  # a trial cannot prove
    with pytest.raises(ConfigError, match="looks at other rows"):
        check_rowwise(polars_filter(hidden), SCHEMA, "the filter", hints=["rare"])


def test_every_function_of_the_allow_list_was_tried_by_its_filter(monkeypatch):
    """Planning runs the trial: with a broken operator the filter is refused, not run."""
    from arrowflow.transforms import functions

    broken = functions._comparison(lambda left, right: left > right.mean(), ordered=True)
    monkeypatch.setitem(functions.FUNCTIONS, ">", broken)

    with pytest.raises(ConfigError, match="filter 'v > n' looks at other rows"):
        Filter("v > n").output_schema(SCHEMA)
