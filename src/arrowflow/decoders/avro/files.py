"""Writers' schemas from files: one ``.avsc`` file, or a folder of them named after their ids. Asks no registry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from arrowflow.errors import ConfigError

_ENDING: Final = ".avsc"
_ID: Final = re.compile(r"0|[1-9][0-9]{0,9}")


def read_schema(path: str) -> str:
    """Return the text of the one schema in a file, for records without framing."""
    file = Path(path)
    if file.is_dir():
        raise ConfigError(
            f"{path} is a folder, and records without framing do not say which of its schemas they were written by: name "
            "one file"
        )
    return _text(file)


def read_schemas(path: str) -> dict[int, str]:
    """Return the texts of schemas by id, from a folder of files such as ``7.avsc``, or from one such file.

    Raises
    ------
    ConfigError
        For a path that is not there or cannot be read, a folder without schemas, or a file whose name is no id.
    """
    place = Path(path)
    if place.is_file():
        return {_id(place): _text(place)}
    if not place.is_dir():
        raise ConfigError(f"{path} is not there: write a folder with a file <id>{_ENDING} for each schema of the topic")
    files = sorted(each for each in place.iterdir() if each.suffix == _ENDING)
    if not files:
        raise ConfigError(f"{path} holds no schema: put a file <id>{_ENDING} there for each schema of the topic")
    return {_id(file): _text(file) for file in files}


def _id(file: Path) -> int:
    if file.suffix != _ENDING or not _ID.fullmatch(file.stem) or int(file.stem) >= 2**32:
        raise ConfigError(
            f"{file}: a schema of framed records is in a file named after its id, such as 7{_ENDING}; records of one schema "
            'without framing are read with framing = "none"'
        )
    return int(file.stem)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8, as the JSON text of a schema is") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
