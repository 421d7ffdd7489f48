"""A store in memory that can be told to fail or to lose a reply at the n-th call; never touches a disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ConfigError, ObjectMissing, RetryableError
from arrowflow.failpoints import Failpoints, LostResponse

Verb = Literal["create", "read", "list", "move_once", "replace_once", "delete", "probe"]


class Call(NamedTuple):
    """One call a store received: the verb and the path (for a move or a replacement, the source)."""

    verb: Verb
    path: str


@dataclass(frozen=True, slots=True)
class _Fault:
    verb: Verb
    call: int
    after: bool
    lasting: bool
    error: Callable[[], Exception]

    def hits(self, verb: Verb, call: int, *, after: bool) -> bool:
        here = call >= self.call if self.lasting else call == self.call
        return here and verb == self.verb and after == self.after


@dataclass(slots=True, eq=False)
class _Object:
    """Content with an identity, like an inode: two names of one object are not two objects of one content."""

    data: bytes


@dataclass(slots=True)
class _World:
    objects: dict[str, _Object] = field(default_factory=dict)
    history: list[Call] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    names_listed: int = 0
    faults: list[_Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Contents(Mapping[str, bytes]):
    """Objects by path, looked at when asked for."""

    def __init__(self, objects: Mapping[str, _Object]) -> None:
        self._objects = objects

    def __getitem__(self, path: str) -> bytes:
        return self._objects[path].data

    def __iter__(self) -> Iterator[str]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)


class MemoryStore:
    """The `Store` protocol over a dictionary; safe among threads.

    Parameters
    ----------
    failpoints : Failpoints
        Of the run that uses this view; `publish.between_link_unlink` and `publish.after` are passed in a move,
        `publish.between_look_rename` and `publish.after` in a replacement.

    Notes
    -----
    A "restart" is a second view of the same objects: ``store.armed(Failpoints())``. Calls are counted, and faults
    wait, across all views.
    """

    def __init__(self, failpoints: Failpoints | None = None, world: _World | None = None) -> None:
        self._failpoints = failpoints or Failpoints()
        self._world = world or _World()

    def armed(self, failpoints: Failpoints) -> MemoryStore:
        """Another view of the same objects, for a run with these failpoints."""
        return MemoryStore(failpoints, self._world)

    # ---- what a test may look at and arrange ---------------------------------------------------------------------

    @property
    def history(self) -> list[Call]:
        """Every call so far, in order."""
        return list(self._world.history)

    def calls(self, verb: Verb) -> int:
        """How often `verb` was called."""
        return self._world.calls[verb]

    @property
    def names_listed(self) -> int:
        """How many names all listings so far returned."""
        return self._world.names_listed

    def snapshot(self) -> dict[str, bytes]:
        """All objects by path, ascending."""
        with self._world.lock:
            return {path: thing.data for path, thing in sorted(self._world.objects.items())}

    @property
    def objects(self) -> Mapping[str, bytes]:
        """The objects as they are now, without a copy and without a call; for whoever judges each step."""
        return _Contents(self._world.objects)

    def put(self, path: str, data: bytes) -> None:
        """Overwrite an object behind everyone's back, as damage does."""
        self._world.objects[path] = _Object(data)

    def fail(
        self, verb: Verb, call: int, error: Callable[[], Exception] | None = None, *, lasting: bool = False
    ) -> None:
        """Let the `call`-th call of `verb` from now (from 1) raise before it has any effect; all later ones if `lasting`."""
        self._arrange(
            verb, call, error or (lambda: RetryableError(f"{verb} failed on purpose")), lasting=lasting, after=False
        )

    def lose_reply(self, verb: Verb, call: int, *, lasting: bool = False) -> None:
        """Let the `call`-th call of `verb` from now (from 1) take effect and raise `LostResponse`."""
        self._arrange(
            verb, call, lambda: LostResponse(f"the reply of {verb} was lost on purpose"), lasting=lasting, after=True
        )

    def mend(self) -> None:
        """Forget every fault that was arranged."""
        self._world.faults.clear()

    # ---- the protocol --------------------------------------------------------------------------------------------

    def create(self, path: str, data: bytes) -> None:
        with self._called("create", path), self._world.lock:
            if path in self._world.objects:
                raise AlreadyExists(f"{path}: the name is taken")
            self._world.objects[path] = _Object(bytes(data))

    def read(self, path: str) -> bytes:
        with self._called("read", path), self._world.lock:
            return self._object(path).data

    def list(self, prefix: str, after: str = "") -> list[str]:
        under = prefix.rstrip("/") + "/"
        with self._called("list", prefix), self._world.lock:
            found = sorted(path for path in self._world.objects if path.startswith(under) and path > after)
            self._world.names_listed += len(found)
            return found

    def move_once(self, source: str, target: str, *, generation: int | None = None) -> None:
        with self._called("move_once", source):
            with self._world.lock:
                thing = self._object(source)
                if self._world.objects.setdefault(target, thing) is not thing:
                    raise AlreadyExists(f"{target}: the name is taken")
            self._failpoints.hit("publish.between_link_unlink")
            with self._world.lock:
                self._world.objects.pop(source, None)
            self._failpoints.hit("publish.after")

    def replace_once(self, source: str, target: str, *, was: str, becomes: str, generation: int | None = None) -> None:
        with self._called("replace_once", source):
            with self._world.lock:
                found = crc32c(self._object(target).data)
            if found == was:
                self._failpoints.hit("publish.between_look_rename")
                found = self._rename(source, target)
            if found == was:
                raise ObjectMissing(f"{source}: no such object, and {target} still holds what it would replace")
            if found != becomes:
                raise AlreadyExists(f"{target} holds bytes with crc32c {found}, neither {was} nor {becomes}")
            with self._world.lock:
                self._world.objects.pop(source, None)
            self._failpoints.hit("publish.after")

    def _rename(self, source: str, target: str) -> str:
        """As rename(2): whatever `target` is by now, it becomes `source`, if that is still there. The checksum there then."""
        with self._world.lock:
            thing = self._world.objects.pop(source, None)
            if thing is not None:
                self._world.objects[target] = thing
            return crc32c(self._object(target).data)

    def delete(self, path: str) -> None:
        with self._called("delete", path), self._world.lock:
            self._world.objects.pop(path, None)

    def folders(self, prefix: str) -> Sequence[str]:
        """The folders directly under `prefix`; counted among the listings."""
        under = prefix.rstrip("/") + "/"
        with self._called("list", prefix), self._world.lock:
            inside = (path.removeprefix(under) for path in self._world.objects if path.startswith(under))
            found = sorted({under + name.split("/", 1)[0] for name in inside if "/" in name})
            self._world.names_listed += len(found)
            return found

    def prune(self, path: str, below: str) -> None:
        """There are no folders here but in names."""

    def probe(self, folders: Sequence[str]) -> None:
        with self._called("probe", folders[0] if folders else ""):
            for folder in folders:
                if not folder.startswith("/"):
                    raise ConfigError(f"{folder}: a store takes absolute paths")

    # ---- faults --------------------------------------------------------------------------------------------------

    @contextmanager
    def _called(self, verb: Verb, path: str) -> Iterator[None]:
        with self._world.lock:
            self._world.calls[verb] += 1
            call = self._world.calls[verb]
            self._world.history.append(Call(verb, path))
        self._fault(verb, call, after=False)
        yield
        self._fault(verb, call, after=True)

    def _fault(self, verb: Verb, call: int, *, after: bool) -> None:
        for fault in list(self._world.faults):
            if fault.hits(verb, call, after=after):
                raise fault.error()

    def _arrange(self, verb: Verb, call: int, error: Callable[[], Exception], *, lasting: bool, after: bool) -> None:
        self._world.faults.append(_Fault(verb, self._world.calls[verb] + call, after, lasting, error))

    def _object(self, path: str) -> _Object:
        try:
            return self._world.objects[path]
        except KeyError:
            raise ObjectMissing(f"{path}: no such object") from None
