"""Objects in one bucket of Google Cloud Storage, created, moved and replaced under preconditions; never shows half an object.

A name is created with ``ifGenerationMatch=0``, so of all that want it exactly one gets it. Each object carries a
mark, made anew for every `create` and kept by moves and copies, as a file keeps its inode under another name. The mark
decides what a checksum cannot: whether "the name is taken" was said of this very call, whose first answer was lost, and whether
two names hold one object that a copy has not yet let go of.
"""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.api_core import client_info, exceptions
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import storage

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ConfigError, ObjectMissing, RetryableError
from arrowflow.failpoints import Failpoints
from arrowflow.stores.gcs.address import SCHEME, Address, check_apart, parse
from arrowflow.stores.gcs.errors import missing, no_credentials, translate
from arrowflow.stores.gcs.patience import Patience
from arrowflow.stores.gcs.rules import check_bucket

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket, Client

EMULATOR = "STORAGE_EMULATOR_HOST"
_MARK = "arrowflow-object"
_TIMEOUT = (5.0, 60.0)
"""Seconds to connect, and of silence while bytes are awaited."""

_UNSUPPORTED = (exceptions.BadRequest, exceptions.MethodNotAllowed, exceptions.MethodNotImplemented)
"""How a service says that it knows no ``moveTo``; the real one does, some emulators do not."""

_SHARED: dict[str, Any] = {"timeout": _TIMEOUT, "retry": None}
"""Of every call: the client does not repeat it. It could not know what an answer means that follows a lost one."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the metadata of an object says."""

    generation: int
    crc32c: str
    mark: str


class GcsStore:
    """The `Store` protocol over one bucket.

    Parameters
    ----------
    client : google.cloud.storage.Client
        Signed in, or on an emulator.
    bucket : str
        Everything is in it: objects move within one bucket only.
    failpoints : Failpoints
        Of the run this store belongs to; none armed by default.
    patience : Patience
        For what passes: lost connections, 429, 5xx.

    Notes
    -----
    A create is one request, a move one, a replacement two, a listing one per thousand names. Nothing is cached but whether the
    service knows ``moveTo``; where it does not, an object is copied and its old name deleted, both under preconditions.
    Like the client it uses, it may be shared by threads.
    """

    def __init__(
        self,
        client: Client,
        bucket: str,
        failpoints: Failpoints | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._client = client
        self._bucket: Bucket = client.bucket(bucket)
        self._failpoints = failpoints or Failpoints()
        self._patience = patience or Patience()
        self._moves = True

    def create(self, path: str, data: bytes) -> int:
        """Make `path` durable with `data` in one request and return its generation; raise `AlreadyExists` if the name is taken.

        Where an answer was lost, the mark of the object found tells whether it is the one this call made. A
        `RetryableError` leaves either nothing or the whole object: calling again tells which.
        """
        name, mark = self._name(path), uuid.uuid4().hex

        def step() -> int:
            with translate("create", path):
                try:
                    return self._upload(name, data, mark)
                except exceptions.PreconditionFailed:
                    found = self._look(name)
                    if found is None:
                        raise RetryableError(f"{path}: the name was taken, and is free again") from None
                    if found.mark != mark:
                        raise AlreadyExists(f"{path}: the name is taken") from None
                    return found.generation
                except exceptions.ClientError as error:
                    raise _upload_gone(error, path) from None

        return self._patience.repeat(step)

    def read(self, path: str) -> bytes:
        """Return the whole content, whose checksum was verified; raise `ObjectMissing`."""
        blob = self._bucket.blob(self._name(path))

        def step() -> bytes:
            with translate("read", path):
                try:
                    data: bytes = blob.download_as_bytes(checksum="crc32c", **_SHARED)
                except exceptions.NotFound as error:
                    raise missing(error, path) from None
                return data

        return self._patience.repeat(step)

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Return the paths above `after` under the folder `prefix`, recursively, ascending; asks the service each time.

        Names that end with a slash are no objects of ours: consoles make them to show a folder.
        """
        folder, root = self._address(prefix).folder, f"{SCHEME}{self._bucket.name}/"
        start = after.removeprefix(root) if after.startswith(root) else ""
        names, token = list[str](), None
        while True:
            page, token = self._patience.repeat(lambda token=token: self._page(prefix, folder, start, token))  # type: ignore[misc]
            names += page
            if token is None:
                break
        paths = (root + name for name in names if not name.endswith("/"))
        return sorted(path for path in paths if path > after)

    def move_once(self, source: str, target: str, *, generation: int | None = None) -> None:
        """Rename in one request that `target` must not exist for; complete a copy of the same object that was cut in half.

        Of `source` only that `generation` is moved: an upload that arrives a second time, after its object was moved away
        and perhaps deleted, makes another one. Raises `AlreadyExists` if another object has the name, `ObjectMissing` if
        `source` does not exist. Either may be said of a move whose answer was lost and which was made: whoever knows what
        `target` should hold looks there.
        """
        old, new = self._name(source), self._name(target)

        def step() -> None:
            with translate(f"move {source} to", target):
                try:
                    self._rename(old, new, 0, generation)
                except exceptions.NotFound as error:
                    raise missing(error, source) from None
                except exceptions.PreconditionFailed:
                    left, there = self._look(old), self._look(new)
                    if there is None and generation is not None and (left is None or left.generation != generation):
                        raise ObjectMissing(f"{source}: no such object of generation {generation}") from None
                    if left is None or there is None or not left.mark or left.mark != there.mark:
                        raise AlreadyExists(f"{target}: the name is taken") from None
                    self._drop(old, left.generation)

        self._patience.repeat(step)
        self._failpoints.hit("publish.after")

    def replace_once(self, source: str, target: str, *, was: str, becomes: str, generation: int | None = None) -> None:
        """Rename that `generation` of `source` over the one generation of `target` that was seen to have the CRC-32C `was`.

        Whoever sleeps between the look and the rename finds another generation or no source, and changes nothing. Raises
        `AlreadyExists` for a target with other bytes, `ObjectMissing` where target or source is missing.
        """
        old, new = self._name(source), self._name(target)

        def step() -> None:
            with translate(f"replace {target} by", source):
                found = self._found(new, target)
                if found.crc32c == was:
                    self._failpoints.hit("publish.between_look_rename")
                    if self._renamed(old, new, found.generation, generation):
                        return
                    found, left = self._found(new, target), self._look(old)
                    if found.crc32c == was and (left is None or generation not in (None, left.generation)):
                        raise ObjectMissing(f"{source}: no such object, and {target} still holds what it would replace")
                    if found.crc32c == was:
                        raise RetryableError(f"{target}: became another object of the same bytes meanwhile")
                if found.crc32c != becomes:
                    raise AlreadyExists(f"{target} holds bytes with crc32c {found.crc32c}, neither {was} nor {becomes}")
                self._drop(old)

        self._patience.repeat(step)
        self._failpoints.hit("publish.after")

    def delete(self, path: str) -> None:
        """Remove `path`; a missing one is no error."""
        name = self._name(path)

        def step() -> None:
            with translate("delete", path):
                self._drop(name)

        self._patience.repeat(step)

    def probe(self, folders: Sequence[str]) -> None:
        """Look at the bucket's settings and try what the store needs; raise `ConfigError` naming what is not as it must be.

        The first folder is the control prefix, the only one that is written to: one object is created twice, of which the
        second time must fail, and moved.
        """
        addresses = [self._address(folder) for folder in folders]
        check_apart(addresses)
        for control in addresses[:1]:
            check_bucket(self._facts(), control)
            self._try_out(control)

    # ---- one request each ------------------------------------------------------------------------------------------

    def _upload(self, name: str, data: bytes, mark: str) -> int:
        """Send the bytes with their checksum, so that the service refuses them if they arrive changed; return the generation.

        The client's own check of large uploads is left out: it looks afterwards, and would delete whatever has the name.
        """
        blob = self._bucket.blob(name)
        blob.crc32c = base64.b64encode(bytes.fromhex(crc32c(data))).decode()
        blob.metadata = {_MARK: mark}
        blob.upload_from_string(
            data, content_type="application/octet-stream", checksum=None, if_generation_match=0, **_SHARED
        )
        return int(blob.generation or 0)

    def _look(self, name: str) -> Found | None:
        blob: Blob = self._bucket.blob(name)
        try:
            blob.reload(**_SHARED)
        except exceptions.NotFound as error:
            _object_only(error, name)
            return None
        checksum = base64.b64decode(blob.crc32c or "").hex()
        return Found(int(blob.generation or 0), checksum, (blob.metadata or {}).get(_MARK, ""))

    def _found(self, name: str, path: str) -> Found:
        found = self._look(name)
        if found is None:
            raise ObjectMissing(f"{path}: no such object")
        return found

    def _page(self, prefix: str, folder: str, start: str, token: str | None) -> tuple[Sequence[str], str | None]:
        with translate("list", prefix):
            iterator = self._client.list_blobs(
                self._bucket, prefix=folder, start_offset=start or None, page_token=token, page_size=1000,
                fields="items(name),nextPageToken", **_SHARED,
            )  # fmt: skip
            page = next(iterator.pages, ())
            return [blob.name for blob in page], iterator.next_page_token

    def _rename(self, old: str, new: str, generation: int, source: int | None) -> None:
        """Give the object `old`, if it is of generation `source`, the name `new`, of which `generation` is there, 0 for none.

        Raises 404 or 412.
        """
        if self._moves:
            held = {"if_generation_match": generation, "if_source_generation_match": source}
            try:
                self._bucket.move_blob(self._bucket.blob(old), new, **held, **_SHARED)
            except _UNSUPPORTED:
                self._moves = False
            else:
                return
        self._copy_and_delete(old, new, generation, source)

    def _copy_and_delete(self, old: str, new: str, generation: int, source: int | None) -> None:
        """The same in two requests, after two looks: fake-gcs-server honours no condition of a copy, so one is made here too."""
        found, there = self._look(old), self._look(new)
        if found is None:
            raise exceptions.NotFound(f"No such object: {old}")  # type: ignore[no-untyped-call]
        if generation != (0 if there is None else there.generation):
            raise exceptions.PreconditionFailed(f"{new} is not at generation {generation}")  # type: ignore[no-untyped-call]
        if source not in (None, found.generation):
            raise exceptions.PreconditionFailed(f"{old} is not at generation {source}")  # type: ignore[no-untyped-call]
        taken, target, token = self._bucket.blob(old), self._bucket.blob(new), None
        while True:
            token, _, _ = target.rewrite(
                taken,
                token=token,
                if_generation_match=generation,
                if_source_generation_match=found.generation,
                **_SHARED,
            )
            if token is None:
                break
        self._failpoints.hit("publish.between_copy_delete")
        self._drop(old, found.generation)

    def _renamed(self, old: str, new: str, generation: int, source: int | None) -> bool:
        """Whether that generation of `old` was there to be renamed over just that one of `new`."""
        try:
            self._rename(old, new, generation, source)
        except (exceptions.NotFound, exceptions.PreconditionFailed):
            return False
        return True

    def _drop(self, name: str, generation: int | None = None) -> None:
        """Delete an object, of which only that generation if one is given; one that is gone already is as good."""
        try:
            self._bucket.blob(name).delete(if_generation_match=generation, **_SHARED)
        except exceptions.NotFound as error:
            _object_only(error, name)

    def _facts(self) -> dict[str, Any]:
        def step() -> dict[str, Any]:
            with translate("look at", f"{SCHEME}{self._bucket.name}"):
                self._bucket.reload(**_SHARED)
                return dict(self._bucket._properties)  # noqa: SLF001 - all that the service said, as it said it

        return self._patience.repeat(step)

    # ---- the trial ----------------------------------------------------------------------------------------------------

    def _try_out(self, control: Address) -> None:
        """Create, move and delete one object, with no failpoint armed: hits are counted in real work only."""
        trial = GcsStore(self._client, self._bucket.name, patience=self._patience)
        name = f"{control}/.af-probe-{uuid.uuid4().hex}"
        trial.create(name + "-a", b"probe")
        try:
            trial.create(name + "-a", b"probe")
        except AlreadyExists:
            pass
        else:
            trial.delete(name + "-a")
            raise ConfigError(
                f"{control}: the service at {os.environ.get(EMULATOR, 'this address')} overwrites an object that must not exist "
                "yet: it does not honour ifGenerationMatch, so no two writers would be told apart; use another emulator"
            )
        with suppress(
            ObjectMissing, AlreadyExists
        ):  # said of a move that was made if its answer was lost: the target tells
            trial.move_once(name + "-a", name + "-b")
        trial.read(name + "-b")
        trial.delete(name + "-b")
        self._moves = trial._moves

    # ---- names ----------------------------------------------------------------------------------------------------------

    def _address(self, path: str) -> Address:
        address = parse(path)
        if address.bucket != self._bucket.name:
            raise ConfigError(
                f"{path} is in another bucket than the commit log, {SCHEME}{self._bucket.name}: an object moves within one "
                "bucket only; put the table and the checkpoint in one"
            )
        return address

    def _name(self, path: str) -> str:
        return self._address(path).name


def _object_only(error: exceptions.NotFound, name: str) -> None:
    """Let a 404 pass that is about the object; raise for one about the bucket."""
    told = missing(error, name)
    if not isinstance(told, ObjectMissing):
        raise told from error


def _upload_gone(error: exceptions.ClientError, path: str) -> Exception:
    """A 404 or 410 in an upload: of the bucket, or of a large upload that the service forgot and that begins again."""
    if error.code not in (404, 410):
        return error
    told = missing(error, path)
    if isinstance(told, ObjectMissing):
        return RetryableError(f"cannot create {path}: the service forgot the upload")
    return told


def connect(bucket: str) -> Client:
    """Return a client that is signed in by the environment, or one of the emulator that ``STORAGE_EMULATOR_HOST`` names.

    Raises
    ------
    ConfigError
        Without credentials, or for an emulator's address that is none. Nothing is asked of the service yet.
    """
    emulator = os.environ.get(EMULATOR)
    if emulator and not emulator.startswith(("http://", "https://")):
        raise ConfigError(f'{EMULATOR}={emulator}: write it with its scheme, such as "http://{emulator}"')
    try:
        client = storage.Client(project=None, client_info=client_info.ClientInfo(user_agent="arrowflow"))  # type: ignore[no-untyped-call]
    except DefaultCredentialsError as error:
        raise no_credentials(error, f"{SCHEME}{bucket}") from error
    # It would look at the bucket from a thread of its own, for traces that are not written: a request nobody asked for.
    client._bucket_metadata_cache = None  # noqa: SLF001 - there is no other way but a variable of the whole process
    return client
