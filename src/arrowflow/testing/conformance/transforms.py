"""What every `Transform` must keep: a row's outcome depends on that row alone. It knows no expression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.errors import ConfigError
from arrowflow.protocols import Transform


class TransformConformance:
    """Subclass it with `transform`, `table` and, where there is one, `unfit`."""

    def transform(self) -> Transform:
        """Return the step under test; equal at every call."""
        raise NotImplementedError

    def table(self) -> pa.Table:
        """Return some rows it runs on: nulls among them, no two alike, some kept and some not if it filters."""
        raise NotImplementedError

    def unfit(self) -> pa.Schema | None:
        """Return a schema it cannot run on, None if it runs on any."""
        return pa.schema([("nothing_it_knows", pa.binary())])

    def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """Apply a fresh transform, and check what holds for every table."""
        step = self.transform()
        kept, mask = step.apply(table)
        assert (mask.dtype, mask.shape) == (np.dtype(np.bool_), (table.num_rows,))
        assert kept.num_rows == int(mask.sum())
        assert kept.schema.equals(step.output_schema(table.schema), check_metadata=True)
        kept.validate(full=True)
        return kept, mask

    def in_pieces(self, pieces: Sequence[pa.Table]) -> tuple[list[str], list[bool]]:
        """What applying it to each piece gives, put together."""
        applied = [self.apply(piece) for piece in pieces]
        rows = [repr(row) for kept, _mask in applied for row in kept.to_pylist()]
        return rows, [bool(each) for _kept, mask in applied for each in mask]

    def test_the_whole_is_what_its_rows_are_one_by_one(self) -> None:
        table = self.table()

        alone = [table.slice(row, 1) for row in range(table.num_rows)]
        assert self.in_pieces(alone) == self.in_pieces([table])

    def test_where_a_table_is_cut_changes_nothing(self) -> None:
        table = self.table()
        whole = self.in_pieces([table])
        for cut in range(table.num_rows + 1):
            assert self.in_pieces([table.slice(0, cut), table.slice(cut)]) == whole

    def test_rows_in_another_order_are_the_same_rows_in_that_order(self) -> None:
        table = self.table()
        back = list(reversed(range(table.num_rows)))

        rows, mask = self.in_pieces([table])
        assert self.in_pieces([table.take(pa.array(back, pa.int64()))]) == (rows[::-1], mask[::-1])

    def test_chunks_do_not_matter(self) -> None:
        table = self.table()
        chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 0), table.slice(1)])

        assert self.in_pieces([chunked]) == self.in_pieces([table])

    def test_a_table_without_rows_gives_none_of_the_same_schema(self) -> None:
        for empty in (self.table().slice(0, 0), self.table().schema.empty_table()):
            kept, mask = self.apply(empty)
            assert (kept.num_rows, len(mask)) == (0, 0)

    def test_a_step_keeps_nothing_from_one_table_to_the_next(self) -> None:
        table, step = self.table(), self.transform()
        first, _mask = step.apply(table)
        step.apply(table.slice(1))

        again, _mask = step.apply(table)
        assert repr(again.to_pylist()) == repr(first.to_pylist())

    def test_columns_it_cannot_run_on_are_a_config_error(self) -> None:
        unfit = self.unfit()
        if unfit is not None:
            with pytest.raises(ConfigError):
                self.transform().output_schema(unfit)

    def test_its_words_in_the_fingerprint_do_not_change_with_use(self) -> None:
        used = self.transform()
        used.apply(self.table())

        assert (repr(used), used.name) == (repr(self.transform()), self.transform().name)
        assert used == self.transform()
