"""The pipeline a program holds: the value that the engine runs, and a way to try it. Connects to nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from arrowflow import config, pipeline

if TYPE_CHECKING:
    from arrowflow.api.trial import Rows, Trial


@dataclass(frozen=True, slots=True)
class Pipeline(pipeline.Pipeline):
    """The whole job as a value, and what it makes of given rows.

    The same fields as `arrowflow.pipeline.Pipeline`, which lies too low to know an engine.
    """

    def test(
        self,
        rows: Rows,
        *,
        partition: str | None = None,
        close_open_windows: bool = True,
        now: dt.datetime | int | None = None,
    ) -> Trial:
        """Run the pipeline over `rows` in memory: no broker, no disk, and the tables it would write as the answer.

        Parameters
        ----------
        rows : frame, list of messages, or mapping of partition numbers to either
            A frame (anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``) holds *decoded* rows: columns of the
            source's schema, missing ones null. A list holds *messages* as the topic holds them, which the decoder
            reads: bytes, text, None for a tombstone, and dictionaries where it reads JSON.
        partition : str, optional
            The column (or member of dictionaries) whose value says which partition a row is in: a number from 0 on, or
            text, numbered in order of appearance. Without it there is one partition.
        close_open_windows : bool
            Close at the end what the watermark has not closed, labelled ``end_of_input``.
        now : datetime or int, optional
            The time at which it is run. Without it ``max_future_skew`` is not looked at.

        Returns
        -------
        Trial
            `rows`, `late`, `dead_letters`, `balance`.

        Raises
        ------
        ConfigError
            If `rows` do not fit the source's schema, or the parts of the pipeline do not fit each other.

        Notes
        -----
        The real engine runs, with the pipeline's own decoder, transforms and windows, in one epoch. Its source, sinks and
        log are replaced by ones in memory; any share of bad messages is taken; late rows are shown whatever becomes
        of them.
        """
        # The engine and its kernels load when they are first needed: holding a pipeline costs nothing.
        from arrowflow.api.trial import run_trial

        return run_trial(self, rows, partition=partition, close_open_windows=close_open_windows, now=now)


def load(path: str | Path, env: Mapping[str, str] | None = None) -> Pipeline:
    """Return the pipeline a TOML file describes; see `arrowflow.config.load`. Raises `InvalidConfig`."""
    loaded = config.load(path, env)
    return Pipeline(**{each.name: getattr(loaded, each.name) for each in fields(loaded)})
