"""A table as one record left it, read through the log: exactly the committed files. It writes nothing and opens files late."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

from arrowflow import config
from arrowflow.commitlog.gcs import GcsLogSpec
from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.errors import ConfigError
from arrowflow.failpoints import Failpoints
from arrowflow.sinks.snapshot import Snapshot, Wanted, snapshot
from arrowflow.stores.gcs.address import SCHEME, is_address

if TYPE_CHECKING:
    from arrowflow.protocols import CommitLog, Control

_EMULATOR = "STORAGE_EMULATOR_HOST"
_EPOCH = "__af_epoch"


def scan(
    place: str | Path,
    sink: str | None = None,
    *,
    epoch: int | None = None,
    time: dt.datetime | None = None,
    within: str = "",
    types: Mapping[str, pa.DataType] | None = None,
) -> ds.Dataset:
    """Return a table as one record left it, as a pyarrow dataset that Polars and DuckDB take too.

    Parameters
    ----------
    place : str or Path
        A configuration file, or a checkpoint folder, also as an address such as ``gs://lake/_arrowflow/gold``.
    sink : str, optional
        The name of the table; not needed where the pipeline has one table of results.
    epoch : int, optional
        As of this record. By default the newest one of which everything is published.
    time : datetime, optional
        As of the newest record of an epoch that began then or before; it has an offset from UTC.
    within : str
        Look below this folder of the table only, such as ``planta=monterrey/date=2025-10-31``.
    types : mapping of str to DataType, optional
        Types of partition columns; text without.

    Returns
    -------
    pyarrow.dataset.Dataset
        Each row once: nothing of a later epoch, sealed files and not the small ones they were made of, corrected
        windows as they were as of that record.

    Raises
    ------
    ConfigError
        If there is no such table or record, or no file yet.
    RetryableError
        If the job takes files back faster than they can be listed: ask again.

    Notes
    -----
    Reads the newest record and those after the one asked for, and lists the folder of the table (and of its sealed files, if
    there are any). Files are opened when the dataset is read. All of them stay for as long as records are kept
    (``limits.keep_for``), but one that is corrected in between is then read as it is by then.
    """
    if epoch is not None and time is not None:
        raise ConfigError("scan: say `epoch` or `time`, not both")
    if time is not None and time.tzinfo is None:
        raise ConfigError(f"scan: {time} has no offset from UTC; add one, such as tzinfo=datetime.UTC")
    time_us = None if time is None else round(time.timestamp() * 1e6)
    log, control = _opened(str(place))
    return dataset(snapshot(log, control, Wanted(sink, epoch, time_us, within)), types or {})


def dataset(chosen: Snapshot, types: Mapping[str, pa.DataType]) -> ds.Dataset:
    """Return the files of a snapshot as one dataset, partition values from their folders."""
    if not chosen.files:
        raise ConfigError(f"{chosen.root} holds no file as of record {chosen.epoch}, so its columns are not known")
    system, cut = _file_system(chosen.root), len(SCHEME) if is_address(chosen.root) else 0
    form = ds.ParquetFileFormat()
    columns: dict[str, pa.DataType] = {}
    fragments = []
    for file in chosen.files:
        columns |= {name: types.get(name, pa.string()) for name in file.partition if name not in columns}
        fragments.append(form.make_fragment(file.path[cut:], system, _is(file.partition, columns)))
    newest = max(range(len(fragments)), key=lambda i: chosen.files[i].epoch)
    own = fragments[newest].physical_schema
    schema = pa.schema([*own, *(pa.field(name, kind) for name, kind in columns.items() if name not in own.names)])
    whole = ds.FileSystemDataset(fragments, schema, form, system)
    if chosen.cut is None:
        return whole
    later: Any = ds.field(_EPOCH) <= pa.scalar(chosen.cut, pa.int64())
    return whole.filter(later)


def _is(partition: Mapping[str, str | None], columns: Mapping[str, pa.DataType]) -> Any:  # noqa: ANN401 - stubs have none
    """What is true of every row of a file."""
    known: Any = ds.scalar(True)
    for name, value in partition.items():
        column: Any = ds.field(name)
        known = known & (
            column.is_null() if value is None else column == pa.scalar(value, pa.string()).cast(columns[name])
        )
    return known


def _opened(place: str) -> tuple[CommitLog, Control]:
    if is_address(place):
        return GcsLogSpec(place).build(Failpoints())
    path = Path(place)
    if path.is_dir():
        if not (path / "manifests").is_dir():
            raise ConfigError(f"{place} is no checkpoint folder: it has no records in it")
        return LocalLogSpec(place).build(Failpoints())
    return config.load(place).checkpoint.log.build(Failpoints())


def _file_system(root: str) -> fs.FileSystem:
    if not is_address(root):
        return fs.LocalFileSystem()
    emulator = os.environ.get(_EMULATOR)
    if not emulator:
        return fs.GcsFileSystem()
    scheme, _, address = emulator.partition("://")
    return fs.GcsFileSystem(
        anonymous=True, scheme=scheme, endpoint_override=address, retry_time_limit=dt.timedelta(seconds=15)
    )
