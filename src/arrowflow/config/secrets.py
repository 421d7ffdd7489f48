"""Secrets by reference: `{ env = "NAME" }` or `{ file = "/path" }`. What a secret says is never shown.

A raw one is refused and taken out of the document before anything else looks at it, so no later message,
repr or log can show it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Literal

from arrowflow.config.document import Document, Value
from arrowflow.config.problem import Path, Problem, printable
from arrowflow.errors import ConfigError

MAX_BYTES = 64 * 1024
REMOVED = "***"
"""What stands in a document where a raw secret stood."""

_NAME = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|jaas|assertion|api[._-]?key|private[._-]?key|access[._-]?key|key[._-]pem",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"[._-](url|uri|location|path|file|class|method|mechanism|ms|seconds|id)$", re.IGNORECASE)
_CONTENT = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]+:[^/\s@]+@", re.IGNORECASE)
_SETTING_CONTENT = re.compile(r"\b(password|client_?secret)\s*=\s*\S", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}")

NAMED_BY_USERS: tuple[tuple[str, ...], ...] = (
    ("source", "*", "schema"),
    ("transform", "*", "derive"),
    ("aggregate",),
    ("calendars", "*"),
)
"""Tables whose keys are column or calendar names: a column called "token" is no secret."""


class SecretText(str):
    """A secret that was looked up: text for the client it is handed to, ``***`` wherever it is shown by `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is to be found: an environment variable or a file.

    Parameters
    ----------
    kind : {"env", "file"}
        Which of the two.
    name : str
        The variable's name or the file's path.
    """

    kind: Literal["env", "file"]
    name: str

    def reveal(self, env: Mapping[str, str]) -> SecretText:
        """Return the secret, a variable from `env`. A file's last line end is not part of it.

        Raises
        ------
        ConfigError
            If there is no such variable or file, or it is empty.
        """
        text = env.get(self.name, "") if self.kind == "env" else self._read_file()
        if not text:
            what = "environment variable" if self.kind == "env" else "file"
            raise ConfigError(f"the {what} {printable(self.name)} that should hold a secret is not set or empty")
        return SecretText(text)

    def _read_file(self) -> str:
        path = FilePath(self.name)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise ConfigError(
                f"the file {printable(self.name)} that should hold a secret cannot be read: {error.strerror}"
            ) from None
        if len(data) > MAX_BYTES:
            raise ConfigError(
                f"the file {printable(self.name)} that should hold a secret is larger than {MAX_BYTES} bytes"
            )
        try:
            return data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise ConfigError(f"the file {printable(self.name)} that should hold a secret is not UTF-8 text") from None

    def readable_by_others(self) -> bool:
        """Whether the file may be read by its group or by everyone."""
        if self.kind == "env" or os.name == "nt":
            return False
        try:
            mode = FilePath(self.name).stat().st_mode
        except OSError:
            return False
        return bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def looks_secret(name: str) -> bool:
    """Whether a key of this name holds a secret, as far as its name can tell."""
    return bool(_NAME.search(name)) and not _NO_SECRET.search(name)


def is_reference(value: object) -> bool:
    """Whether `value` is ``{ env = "..." }`` or ``{ file = "..." }``."""
    return (
        isinstance(value, dict)
        and set(value) in ({"env"}, {"file"})
        and all(isinstance(item, str) for item in value.values())
    )


def take_out_raw(document: Document) -> list[Problem]:
    """Replace every raw secret in `document` by `REMOVED` and report it, without repeating it."""
    problems: list[Problem] = []
    document.values = _without(document, document.values, (), problems)
    return problems


def _without(document: Document, value: Value, path: Path, problems: list[Problem]) -> Value:
    if _is_secret_key(path) and not is_reference(value) and not _holds_settings(value):
        problems.append(document.problem(path, _refusal(path, value)))
        return REMOVED
    if isinstance(value, dict):
        return {key: _without(document, item, (*path, key), problems) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(document, item, (*path, index), problems) for index, item in enumerate(value)]
    if isinstance(value, str) and _says_secret(path, value):
        problems.append(document.problem(path, _refusal(path, value)))
        return REMOVED
    return value


def _says_secret(path: Path, value: str) -> bool:
    return bool(_CONTENT.search(value) or ("properties" in path and _SETTING_CONTENT.search(value)))


def _holds_settings(value: object) -> bool:
    """Whether `value` is a table of dotted settings, whose own keys are looked at next."""
    return (
        isinstance(value, dict)
        and not set(value) & {"env", "file"}
        and bool(value)
        and all(isinstance(item, dict) for item in value.values())
    )


def _is_secret_key(path: Path) -> bool:
    if not path or not isinstance(path[-1], str) or any(_inside(path, pattern) for pattern in NAMED_BY_USERS):
        return False
    if path[-1] in {"env", "file"} and len(path) > 1:
        return False
    start = path.index("properties") + 1 if "properties" in path else len(path) - 1
    return looks_secret(".".join(str(part) for part in path[start:]))


def _inside(path: Path, pattern: tuple[str, ...]) -> bool:
    return len(path) > len(pattern) and all(want in ("*", part) for want, part in zip(pattern, path, strict=False))


def _refusal(path: Path, value: object) -> str:
    used = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    name = used[1] if used else re.sub(r"\W+", "_", str(path[-1])).upper()
    return f'holds a secret in the file itself, which is refused: write {{ env = "{printable(name)}" }} or {{ file = "/path/to/it" }} instead'
