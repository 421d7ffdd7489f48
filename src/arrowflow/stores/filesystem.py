"""What a local file system can do and how its errors translate; never creates an object."""

# The paths of the protocol are strings, and each system call should be seen as one.
# ruff: noqa: PTH112, PTH120
from __future__ import annotations

import errno
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from arrowflow.errors import ConfigError, RetryableError

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "fuse.s3fs", "fuse.rclone"}
)
"""Where a link may succeed and its reply be lost, or a flush may promise what it does not keep."""

_TRY_AGAIN = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.EBUSY}
)
_ADVICE = {
    errno.ENOSPC: "free space or inodes, then start again",
    errno.EDQUOT: "raise the quota, then start again",
    errno.EIO: "the device reports an error: look at the kernel's log before going on",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.ENFILE: "the machine is out of open files",
    errno.EROFS: "it is mounted read-only: mount it for writing or choose another folder",
    errno.EACCES: "give this user permission to read and write there",
    errno.EPERM: "the file system refuses it: hard links and permissions are needed",
    errno.EXDEV: "put both on one file system (one mount), so that a move is one atomic step",
    errno.ENAMETOOLONG: "shorten the folder or the partition values",
}


@contextmanager
def translate(verb: str, path: str, other: str | None = None) -> Iterator[None]:
    """Turn an `OSError` into the tree of errors: what may pass is retryable, what must be fixed is a `ConfigError`."""
    try:
        yield
    except OSError as error:
        raise _translated(error, verb, path, other) from error


def _translated(error: OSError, verb: str, path: str, other: str | None) -> ConfigError | RetryableError:
    code = error.errno or 0
    name = errno.errorcode.get(code, str(code))
    place = path if other is None else f"{path} to {other}"
    advice = _ADVICE.get(code, "nothing was torn; start again when it is mended")
    message = f"cannot {verb} {place}: {error.strerror} ({name}); {advice}"
    return RetryableError(message) if code in _TRY_AGAIN else ConfigError(message)


@dataclass(frozen=True, slots=True)
class FileSystem:
    """Where a folder lives: the mount point and the kernel's name for its type ("unknown" off Linux)."""

    mount: str
    kind: str

    def check_supported(self, folder: str) -> None:
        """Raise `ConfigError` for a network file system, where exactly-once was never shown."""
        if self.kind in _NETWORK:
            raise ConfigError(
                f"{folder} is on {self.kind} (mounted at {self.mount}): network disks are not supported, since a lost "
                "reply there hides who won; use a local disk"
            )


def file_system_of(folder: str) -> FileSystem:
    """Return the file system that `folder`, or its nearest ancestor that exists, is on."""
    real = os.path.realpath(nearest_existing(folder))
    best = FileSystem("/", "unknown")
    for mount, kind in _mounts():
        inside = real == mount or real.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best.mount):
            best = FileSystem(mount, kind)
    return best


def _mounts() -> Iterator[tuple[str, str]]:
    """Mount points and types in mount order: the last one over a folder is the one seen."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, mount, kind, *_ = line.split(" ")
        yield re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount), kind


def nearest_existing(folder: str) -> str:
    """Return `folder` or the closest folder above it that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


@contextmanager
def probe_primary(folder: str) -> Iterator[None]:
    """Say which file system failed when the trial of links and flushes in `folder` did."""
    try:
        yield
    except ConfigError as error:
        kind = file_system_of(folder).kind
        raise ConfigError(
            f"{folder} (on {kind}) cannot hold the commit log: hard links and flushed folders are needed. {error}"
        ) from error


def probe_link_between(control: str, root: str) -> None:
    """Raise `ConfigError` unless a file can be linked from `control` into `root`; creates nothing.

    Linking a *folder* never succeeds, but the kernel looks at the mounts and the permissions first. So its error
    says what a file would meet, without a foreign name in a table root. Equal device numbers would not do: a
    link between two mounts of one device fails too.
    """
    target = f"{nearest_existing(root)}/.af-probe-{uuid.uuid4().hex}"
    try:
        os.link(control, target)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EISDIR):
            return
        raise _translated(error, "move files", control, root) from error
