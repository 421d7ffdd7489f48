"""Deterministic sample streams and their right answers; never imported by the engine.

A stream is a function of its name, its number of rows and its seed, the same bytes on every machine. Its answers are
computed from those bytes in plain Python, without the engine's decoders, calendars and windows.
"""

from __future__ import annotations

from arrowflow.errors import ConfigError
from arrowflow.protocols import SampleStream
from arrowflow.samples.answers.kpis import kpis as _kpis
from arrowflow.samples.answers.order_sessions import order_sessions as _order_sessions
from arrowflow.samples.answers.production import production as _production_answer
from arrowflow.samples.answers.scada import scada as _scada_answer
from arrowflow.samples.answers.scada import scada_avro as _scada_avro_answer
from arrowflow.samples.answers.temperature import temperature as _temperature
from arrowflow.samples.archive import write_ndjson
from arrowflow.samples.streams import order_events as _order_events
from arrowflow.samples.streams import orders as _orders
from arrowflow.samples.streams import production as _production
from arrowflow.samples.streams import scada as _scada
from arrowflow.samples.streams import scada_avro as _scada_avro
from arrowflow.samples.streams.sample import Sample

__all__ = ["CONFIGS", "NAMES", "answer", "stream", "write_ndjson"]

NAMES = ("production", "scada", "orders", "order_events", "scada_avro")
"""The samples there are."""

CONFIGS = {
    "gold": "production",
    "scada": "scada",
    "temperature": "scada",
    "kpis": "orders",
    "order_sessions": "order_events",
    "scada_avro": "scada_avro",
}
"""The configurations there are answers for, without folder and ending, and the sample each reads."""


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


def answer(name: str, rows: int | None = None, seed: int | None = None, config: str | None = None) -> dict[str, object]:
    """Return what the right result of a config over a sample is, as a JSON-able dict (docs/samples.md).

    Parameters
    ----------
    name : str
        One of `NAMES`.
    rows, seed : int, optional
        As for `stream`.
    config : str, optional
        One of `CONFIGS` that reads this sample; the default is the first.

    Raises
    ------
    ConfigError
        For a name that is not in `NAMES`, a negative number of rows, or a config that does not read this sample.
    """
    sample = _stream(name, rows, seed)
    known = [each for each, read in CONFIGS.items() if read == name]
    config = known[0] if config is None else config
    if config not in known:
        raise ConfigError(f"config {config!r}: there is no answer for it over sample {name!r}, only {', '.join(known)}")
    return {"sample": name, "config": f"configs/{config}.toml", "digest": sample.digest, **_sheet(config, sample)}


def _sheet(config: str, sample: Sample) -> dict[str, object]:
    records = sample.records()
    match config:
        case "gold":
            return _production_answer(records)
        case "scada":
            return _scada_answer(records)
        case "temperature":
            return _temperature(records)
        case "scada_avro":
            return _scada_avro_answer(records)
        case "kpis":
            return _kpis(records)
        case _:
            return _order_sessions(records)


def _stream(name: str, rows: int | None, seed: int | None) -> Sample:
    if rows is not None and rows < 0:
        raise ConfigError(f"sample {name!r}: rows is {rows}; give a number from 0 up, or none for the default")
    match name:
        case "production":
            default_rows, default_seed, make = _production.ROWS, _production.SEED, _production.production
        case "scada":
            default_rows, default_seed, make = _scada.ROWS, _scada.SEED, _scada.scada
        case "scada_avro":
            default_rows, default_seed, make = _scada_avro.ROWS, _scada_avro.SEED, _scada_avro.scada_avro
        case "orders":
            default_rows, default_seed, make = _orders.ROWS, _orders.SEED, _orders.orders
        case "order_events":
            default_rows, default_seed, make = _order_events.ROWS, _order_events.SEED, _order_events.order_events
        case _:
            raise ConfigError(f"sample {name!r} does not exist; choose one of {', '.join(NAMES)}")
    return make(default_rows if rows is None else rows, default_seed if seed is None else seed)
