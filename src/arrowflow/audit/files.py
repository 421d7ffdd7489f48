"""How the auditor sees files: names with sizes, and bytes. Hides nothing, temporary names included; writes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """A place with files. Paths are absolute, with ``/`` between folders."""

    def list(self, folder: str) -> Mapping[str, int | None]:
        """Every file under `folder`, recursively, with its size where that is known; empty if there is none."""

    def read(self, path: str) -> bytes:
        """The whole content; raises `FileNotFoundError`."""


class LocalFiles:
    """Files of this machine."""

    def list(self, folder: str) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        folders = [folder]
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        else:
                            found[entry.path] = _size(entry)
            except FileNotFoundError:
                continue  # a folder that was emptied and removed meanwhile
        return found

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return None
