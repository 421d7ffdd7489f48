"""The fake as a server on a free port of this machine, with a plan of faults and a count of what was asked."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from arrowflow.testing.gcs.faults import Fault
from arrowflow.testing.gcs.objects import Bucket, Refused
from arrowflow.testing.gcs.service import Call, Service
from arrowflow.testing.gcs.wire import Answer, Request, refusal


class FakeGcs:
    """Cloud Storage in memory, strict about preconditions, that can be told to fail.

    Parameters
    ----------
    *buckets : str
        Buckets there are from the beginning.
    moves : bool
        Whether ``moveTo`` is known.
    conditions_first, strict : bool
        See `Bucket`.
    facts : mapping, optional
        What the metadata of every bucket says beside the usual, such as ``{"locationType": "zone"}``.

    Notes
    -----
    A context manager: it listens inside the block only. Clients find it by ``STORAGE_EMULATOR_HOST``, which is set to
    `address`. Requests are answered one at a time, in the order they arrive.
    """

    def __init__(
        self,
        *buckets: str,
        moves: bool = True,
        conditions_first: bool = False,
        strict: bool = True,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        made = {name: Bucket(name, dict(facts or {}), conditions_first, strict) for name in buckets}
        self.service = Service(moves=moves, buckets=made)
        self.requests: list[tuple[str, str]] = []
        self.strangers: list[str] = []
        self._faults: list[Fault] = []
        self._held: list[Call] = []
        self._lock = threading.Lock()
        self._server: _Server | None = None

    # ---- the server ---------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where it listens, as ``STORAGE_EMULATOR_HOST`` wants it."""
        return self.service.address

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self.service.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    # ---- what a test may look at and arrange ----------------------------------------------------------------------

    def arrange(self, *faults: Fault) -> None:
        """Spoil requests from now on as the faults say."""
        with self._lock:
            self._faults += faults

    def mend(self) -> None:
        """Forget every fault that was arranged."""
        with self._lock:
            self._faults.clear()

    def release(self) -> list[Answer]:
        """Do now, in their order, the requests that a ``late`` fault held back; return what nobody hears."""
        with self._lock:
            held, self._held = self._held, []
            return [self.service.answer(call) for call in held]

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was asked for so far."""
        with self._lock:
            return Counter(operation for operation, _ in self.requests)

    def snapshot(self, bucket: str) -> dict[str, bytes]:
        """All objects of a bucket by name, ascending."""
        with self._lock:
            objects = self.service.buckets[bucket].objects
            return {name: objects[name].data for name in sorted(objects)}

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Overwrite an object behind everyone's back, as damage does."""
        with self._lock:
            self.service.buckets[bucket].insert(name, data, "application/octet-stream", {}, {})

    def remove(self, bucket: str, name: str) -> None:
        """Delete an object behind everyone's back, as a lifecycle rule does."""
        with self._lock:
            self.service.buckets[bucket].delete(name, {})

    def dump(self, bucket: str, folder: Path) -> Path:
        """Write every object of a bucket to a file of its name under `folder`, for readers of files; returns the folder."""
        for name, data in self.snapshot(bucket).items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return folder

    # ---- one request ----------------------------------------------------------------------------------------------

    def serve(self, request: Request) -> Iterator[Answer | float | None]:
        """Yield what the connection does: seconds to wait, an answer to send, None to close without one."""
        try:
            call = self.service.recognise(request)
        except Refused as error:
            with self._lock:
                self.strangers.append(f"{request.method} {request.path} {error.message}")
            yield refusal(error)
            return
        with self._lock:
            self.requests.append((call.operation, call.name))
            # Each fault counts every request it fits, whatever another does to it.
            striking = [fault for fault in self._faults if fault.strikes(call.operation, call.name)]
        fault = striking[0] if striking else None
        if fault is not None and fault.kind == "delay":
            yield fault.seconds
        yield from self._answered(call, fault)

    def _answered(self, call: Call, fault: Fault | None) -> Iterator[Answer | None]:
        kind = None if fault is None else fault.kind
        told = (503, "") if fault is None else (fault.status, fault.reason)
        failure = refusal(Refused(*told, "The service is made to fail."))
        if kind in ("drop", "late", "refuse"):
            if kind == "late":
                with self._lock:
                    self._held.append(call)
            yield failure if kind == "refuse" else None
            return
        with self._lock:
            if kind == "twice":
                self.service.answer(call)
            answer = self.service.answer(call)
        if kind == "truncate":
            size = str(len(answer.body))
            yield Answer(
                answer.status, answer.body[: len(answer.body) // 2], {**answer.headers, "Content-Length": size}
            )
            yield None
        elif kind == "flip" and answer.body:
            middle = len(answer.body) // 2
            yield Answer(answer.status, _flipped(answer.body, middle), answer.headers)
        elif kind == "drop_after":
            yield None
        else:
            yield failure if kind == "refuse_after" else answer


def _flipped(body: bytes, place: int) -> bytes:
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, fake: FakeGcs) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake
        self._open: set[socket.socket] = set()

    def process_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - stdlib's
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - stdlib's
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End kept connections too: a client of a server that is gone must not wait for it."""
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - stdlib's
        """A client that went away in the middle is what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        for told in self.server.fake.serve(Request(self.command, parts.path, query, headers, self._body(headers))):
            if told is None:
                self.close_connection = True
            elif isinstance(told, Answer):
                self._send(told)
            else:
                threading.Event().wait(told)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(headers.get("content-length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send(self, answer: Answer) -> None:
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        if answer.status in (204, 304):
            headers.pop("Content-Length")
        head = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('',))[0]}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write(
            "\r\n".join([*head, "", ""]).encode("latin-1") + (b"" if self.command == "HEAD" else answer.body)
        )

    def log_message(self, *args: object) -> None:
        """Say nothing: tests look at `FakeGcs.requests`."""
