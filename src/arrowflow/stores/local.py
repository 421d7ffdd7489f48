"""Objects on a local file system, created and moved once by hard links, replaced by one rename; never shows half a file.

A name appears by ``link(2)`` of a file that is already flushed, so of all processes that want a name exactly one
gets it, and whoever sees the name sees all of its bytes. `AlreadyExists` is raised only once the object found is
durable itself: the caller may trust what it reads back. Only `replace_once` puts one object in the place of another.
"""

# The paths of the protocol are strings, and each system call should be seen as one.
# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH112, PTH114, PTH117, PTH120, PTH121
from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ConfigError, ObjectMissing, RetryableError
from arrowflow.failpoints import Failpoints
from arrowflow.stores.filesystem import file_system_of, probe_link_between, probe_primary, translate

_TEMP_PREFIX = ".af-"
_TEMP_SUFFIX = ".tmp"
_PROBES = 3
_EMPTY_LEVELS = 4
"""Staging folders left empty by a move are removed this far up: sink, attempt, epoch, kind."""


class LocalStore:
    """The `Store` protocol over one local file system.

    Parameters
    ----------
    failpoints : Failpoints
        Of the run this store belongs to; none armed by default.

    Notes
    -----
    A create costs one data flush and one folder flush. Temporary names start with ``.af-`` and live in the folder of
    the object they become; `move_once` links the staged file itself, so a table root never sees one. Their
    owner holds a lock on them, which the kernel drops with the process: unlocked leftovers are swept when a
    folder is first used.
    """

    def __init__(self, failpoints: Failpoints | None = None) -> None:
        self._failpoints = failpoints or Failpoints()
        self._swept: deque[str] = deque(maxlen=64)

    def create(self, path: str, data: bytes) -> None:
        """Make `path` durable with `data`; raise `AlreadyExists` if the name is taken, whatever it holds.

        A `RetryableError` leaves either nothing or the whole object: calling again tells which.
        """
        with translate("create", path):
            self._in_folder(path, lambda: self._create(path, data))

    def read(self, path: str) -> bytes:
        """Return the whole content; raise `ObjectMissing`."""
        with translate("read", path):
            try:
                return Path(path).read_bytes()
            except (FileNotFoundError, IsADirectoryError):
                raise ObjectMissing(f"{path}: no such object") from None

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Return the paths above `after` under the folder `prefix`, recursively, ascending; temporary names hidden."""
        with translate("list", prefix):
            return sorted(path for path in _walk(prefix, after) if path > after)

    def move_once(self, source: str, target: str, *, generation: int | None = None) -> None:
        """Give `source` the name `target`, once; complete a move of the same file that was cut in half.

        Raises `AlreadyExists` if another object has the name, `ObjectMissing` if `source` does not exist.
        """
        with translate("move", source, target):
            self._in_folder(target, lambda: _link_or_same(source, target))
            self._flush_folder(target)
            self._failpoints.hit("publish.between_link_unlink")
            with suppress(FileNotFoundError):  # the other name, or the emptied folder, is gone by another hand
                os.unlink(source)
                self._flush_folder(source)
            _remove_empty(os.path.dirname(source))
            self._failpoints.hit("publish.after")

    def replace_once(self, source: str, target: str, *, was: str, becomes: str, generation: int | None = None) -> None:
        """Rename `source` over `target`, whose bytes have the CRC-32C `was`; done if they have `becomes` already.

        Between the look and the rename a process may sleep for hours while others go on. That is harmless: the rename
        takes `source` away, so of all that would do the same one succeeds, and the others find nothing to rename.
        Raises `AlreadyExists` for a target with other bytes, `ObjectMissing` where target or source is missing.
        """
        with translate("replace", target, source):
            found = crc32c(self.read(target))
            if found == was:
                self._failpoints.hit("publish.between_look_rename")
                found = becomes if _renamed(source, target) else crc32c(self.read(target))
            if found == was:
                raise ObjectMissing(f"{source}: no such object, and {target} still holds what it would replace")
            if found != becomes:
                raise AlreadyExists(f"{target} holds bytes with crc32c {found}, neither {was} nor {becomes}")
            self._flush_folder(target)  # also where another's rename was found, which may have died before its flush
            with suppress(FileNotFoundError):
                os.unlink(source)
            with suppress(FileNotFoundError):  # the emptied folder may go by another hand at any moment
                self._flush_folder(source)
            _remove_empty(os.path.dirname(source))
            self._failpoints.hit("publish.after")

    def delete(self, path: str) -> None:
        """Remove `path`; a missing one is no error."""
        with translate("delete", path), suppress(FileNotFoundError):
            os.unlink(path)

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the folders directly under the folder `prefix`, ascending."""
        with translate("list", prefix):
            try:
                with os.scandir(prefix) as entries:
                    return sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
            except FileNotFoundError:
                return []

    def prune(self, path: str, below: str) -> None:
        """Remove the folder that held `path`, and those above it as far as they are empty; never `below` or what is above."""
        folder = os.path.dirname(path)
        while folder.startswith(f"{below}/"):
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass  # by another hand; the one above may be empty for the same reason
            except OSError:
                return
            folder = os.path.dirname(folder)

    def probe(self, folders: Sequence[str]) -> None:
        """Try what the store needs; raise `ConfigError` naming the folder and its file system where it fails.

        The first folder is the control prefix: it is made if needed, and one object is created and moved in it.
        The others are table roots: nothing is written to them, not even for a moment.
        """
        _check_apart(folders)
        for control in folders[:1]:
            file_system_of(control).check_supported(control)
            _try_out(control)
            for root in folders[1:]:
                file_system_of(root).check_supported(root)
                probe_link_between(control, root)

    # ---- one attempt at each step ------------------------------------------------------------------------------

    def _create(self, path: str, data: bytes) -> None:
        folder = os.path.dirname(path)
        temp = f"{folder}/{_TEMP_PREFIX}{uuid.uuid4().hex}{_TEMP_SUFFIX}"
        try:
            self._write(temp, data)
            try:
                os.link(temp, path)
            except FileExistsError:
                _flush(path)
                _flush(folder)
                raise AlreadyExists(f"{path}: the name is taken") from None
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temp)
        self._flush_folder(path)

    def _write(self, temp: str, data: bytes) -> None:
        # The mode obeys the umask, since a published file keeps it: readers of the table are other users.
        handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            view, half = memoryview(data), len(data) // 2
            _write_all(handle, view[:half])
            self._failpoints.hit("fs.enospc")
            _write_all(handle, view[half:])
            self._failpoints.hit("fs.fsync_file")
            os.fsync(handle)
        finally:
            os.close(handle)

    def _flush_folder(self, path: str) -> None:
        self._failpoints.hit("fs.fsync_dir")
        _flush(os.path.dirname(path))

    def _in_folder(self, path: str, step: Callable[[], None]) -> None:
        """Do `step` once the folder of `path` exists; again if an emptied folder was removed meanwhile."""
        _check_absolute(path)
        folder = os.path.dirname(path)
        for _ in range(3):
            try:
                self._make_folder(folder)
                return step()
            except FileNotFoundError:
                continue
        raise RetryableError(f"{path}: its folder cannot be made, or it or its temporary file was removed three times")

    def _make_folder(self, folder: str) -> None:
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for made in reversed(missing):
            with suppress(FileExistsError):
                os.mkdir(made)
            if os.path.islink(made) and not os.path.isdir(made):
                raise NotADirectoryError(errno.ENOTDIR, "a link to nothing", made)
            self._flush_folder(made)
        if not missing and folder not in self._swept:
            self._swept.append(folder)
            _sweep(folder)


def _write_all(handle: int, view: memoryview) -> None:
    while view:
        view = view[os.write(handle, view) :]


def _flush(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link_or_same(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        try:
            same = os.path.samefile(source, target)
        except FileNotFoundError:
            same = False  # another process finished its move between our two calls
        if not same:
            raise AlreadyExists(f"{target}: the name is taken") from None
    except FileNotFoundError:
        if os.path.lexists(source):
            raise
        raise ObjectMissing(f"{source}: no such object") from None


def _renamed(source: str, target: str) -> bool:
    """Whether `source` was there to be renamed."""
    try:
        os.rename(source, target)
    except FileNotFoundError:
        if os.path.lexists(source):
            raise
        return False
    return True


def _walk(folder: str, after: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(_TEMP_PREFIX):
                yield entry.path
        elif entry.path + "/" > after or after.startswith(entry.path + "/"):
            yield from _walk(entry.path, after)


def _sweep(folder: str) -> None:
    """Remove temporary files whose owners are dead. A live owner that loses one by bad luck just writes again."""
    with os.scandir(folder) as entries:
        temps = [entry.path for entry in entries if entry.name.startswith(_TEMP_PREFIX)]
    for temp in temps:
        if temp.endswith(_TEMP_SUFFIX):
            with suppress(FileNotFoundError):
                _remove_if_unlocked(temp)


def _remove_if_unlocked(temp: str) -> None:
    handle = os.open(temp, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(temp)
    except BlockingIOError:
        pass
    finally:
        os.close(handle)


def _remove_empty(folder: str) -> None:
    for _ in range(_EMPTY_LEVELS):
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = os.path.dirname(folder)


def _try_out(control: str) -> None:
    """Create, move and delete one hidden object, with no failpoint armed: hits are counted in real work only.

    Its names are those of temporary files, so what a killed probe leaves is swept like them; a lock tells that this one
    lives. Another process may sweep it between its creation and the lock: then it is made again.
    """
    store = LocalStore()
    with probe_primary(control):
        for left in reversed(range(_PROBES)):
            name = f"{control}/{_TEMP_PREFIX}probe-{uuid.uuid4().hex}"
            first, second = f"{name}-a{_TEMP_SUFFIX}", f"{name}-b{_TEMP_SUFFIX}"
            try:
                store.create(first, b"probe")
                with _locked(first):
                    store.move_once(first, second)
                    store.delete(second)
            except ObjectMissing:
                if not left:
                    raise
            else:
                return


@contextmanager
def _locked(temp: str) -> Iterator[None]:
    """Hold the lock of a temporary file, which says that its owner lives."""
    try:
        handle = os.open(temp, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ObjectMissing(f"{temp}: no such object") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _check_absolute(path: str) -> None:
    if not os.path.isabs(path):
        raise ConfigError(f"{path}: a store takes absolute paths")


def _check_apart(folders: Sequence[str]) -> None:
    """Refuse folders inside one another: a reader that globs the outer one would read the inner one's files."""
    for folder in folders:
        _check_absolute(folder)
    for i, inner in enumerate(folders):
        for outer in (*folders[:i], *folders[i + 1 :]):
            if os.path.commonpath([inner, outer]) == outer:
                raise ConfigError(
                    f"{inner} lies inside {outer}: the control prefix and every table root need folders of their own"
                )
