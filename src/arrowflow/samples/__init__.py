"""Deterministic sample streams and their right answers; never imported by the engine.

A stream is a function of its name, its number of rows and its seed, the same bytes on every machine. Its answer is
computed from those bytes in plain Python, without the engine's decoders, calendars and windows.
"""

from __future__ import annotations

from arrowflow.errors import ConfigError
from arrowflow.protocols import SampleStream
from arrowflow.samples.answers.orders import orders as _orders_answer
from arrowflow.samples.answers.production import production as _production_answer
from arrowflow.samples.answers.scada import scada as _scada_answer
from arrowflow.samples.archive import write_ndjson
from arrowflow.samples.streams import orders as _orders
from arrowflow.samples.streams import production as _production
from arrowflow.samples.streams import scada as _scada
from arrowflow.samples.streams.sample import Sample

__all__ = ["NAMES", "answer", "stream", "write_ndjson"]

NAMES = ("production", "scada", "orders")
"""The samples there are."""


def stream(name: str, rows: int | None = None, seed: int | None = None) -> SampleStream:
    """Return a sample stream.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    rows : int, optional
        How many records, all partitions together; the default is the sample's own, some ten thousand.
    seed : int, optional
        Another seed is another stream of the same kind.

    Raises
    ------
    ConfigError
        For a name that is not in `NAMES` or a negative number of rows.
    """
    return _stream(name, rows, seed)


def answer(name: str, rows: int | None = None, seed: int | None = None) -> dict[str, object]:
    """Return what the right result of the sample's own config is, as a JSON-able dict (docs/samples.md).

    Raises
    ------
    ConfigError
        For a name that is not in `NAMES` or a negative number of rows.
    """
    sample = _stream(name, rows, seed)
    match name:
        case "production":
            config, sheet = "configs/gold.toml", _production_answer(sample.records())
        case "scada":
            config, sheet = "configs/scada.toml", _scada_answer(sample.records())
        case _:
            config, sheet = "configs/orders.toml", _orders_answer(sample.records())
    return {"sample": name, "config": config, "digest": sample.digest, **sheet}


def _stream(name: str, rows: int | None, seed: int | None) -> Sample:
    if rows is not None and rows < 0:
        raise ConfigError(f"sample {name!r}: rows is {rows}; give a number from 0 up, or none for the default")
    match name:
        case "production":
            default_rows, default_seed, make = _production.ROWS, _production.SEED, _production.production
        case "scada":
            default_rows, default_seed, make = _scada.ROWS, _scada.SEED, _scada.scada
        case "orders":
            default_rows, default_seed, make = _orders.ROWS, _orders.SEED, _orders.orders
        case _:
            raise ConfigError(f"sample {name!r} does not exist; choose one of {', '.join(NAMES)}")
    return make(default_rows if rows is None else rows, default_seed if seed is None else seed)
