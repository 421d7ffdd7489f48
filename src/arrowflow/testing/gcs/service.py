"""The JSON API of Cloud Storage over buckets in memory: a request in, an answer out, one at a time.

Writing is there in the JSON API only, reading also in the XML API. Strict: an operation it does not know is answered with 501, a parameter it does not know with 400. So a condition that a client
misspells is never passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

from arrowflow.testing.gcs.objects import CONDITIONS, SOURCE_CONDITIONS, Bucket, Refused
from arrowflow.testing.gcs.wire import Answer, Request, in_json, media, refusal, two_parts
from arrowflow.testing.gcs.xml import LISTING, content, listing

_ANYWHERE = frozenset({"alt", "fields", "prettyPrint", "userProject", "projection", "key", "quotaUser"})
_LISTING = frozenset(
    {"prefix", "delimiter", "startOffset", "endOffset", "pageToken", "maxResults", "versions", "includeTrailingDelimiter"}
)  # fmt: skip
_UPLOADING = frozenset({"uploadType", "name", "upload_id", "predefinedAcl", "contentEncoding"})
_CHUNK = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_UNIT = 256 * 1024
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


class Route(NamedTuple):
    """One operation: how its path looks, what it is called, which parameters it knows."""

    method: str
    path: re.Pattern[str]
    operation: str
    known: frozenset[str]


def _route(method: str, path: str, operation: str, known: frozenset[str] = frozenset()) -> Route:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
    return Route(method, re.compile(pattern), operation, known | _ANYWHERE)


_API = "/storage/v1/b"
_XML = "/(?!(?:storage|upload|download|resumable)/){bucket}"
ROUTES = (
    _route("POST", _API, "make", frozenset({"project", "predefinedAcl", "predefinedDefaultObjectAcl"})),
    _route("GET", _API + "/{bucket}", "bucket", CONDITIONS),
    _route("GET", _API + "/{bucket}/o", "list", _LISTING),
    _route("GET", _API + "/{bucket}/o/{name}", "look", CONDITIONS | {"generation"}),
    _route("GET", "/download" + _API + "/{bucket}/o/{name}", "read", CONDITIONS | {"generation"}),
    _route("DELETE", _API + "/{bucket}/o/{name}", "delete", CONDITIONS | {"generation"}),
    _route("POST", _API + "/{bucket}/o/{name}/moveTo/o/{target}", "move", CONDITIONS | SOURCE_CONDITIONS),
    _route(
        "POST", _API + "/{bucket}/o/{name}/copyTo/b/{other}/o/{target}", "copy",
        CONDITIONS | SOURCE_CONDITIONS | {"sourceGeneration", "destinationPredefinedAcl"},
    ),
    _route(
        "POST", _API + "/{bucket}/o/{name}/rewriteTo/b/{other}/o/{target}", "rewrite",
        CONDITIONS | SOURCE_CONDITIONS | {"sourceGeneration", "rewriteToken", "maxBytesRewrittenPerCall"},
    ),
    _route("POST", _API + "/{bucket}/o/{name}/compose", "compose", CONDITIONS),
    _route("POST", "(?:/resumable)?/upload" + _API + "/{bucket}/o", "insert", CONDITIONS | _UPLOADING),
    _route("PUT", "(?:/resumable)?/upload" + _API + "/{bucket}/o", "chunk", CONDITIONS | _UPLOADING),
    _route("GET", _XML, "xml list", LISTING),
    _route("GET", _XML + "/(?P<name>.+)", "xml read"),
    _route("HEAD", _XML + "/(?P<name>.+)", "xml read"),
)  # fmt: skip


class Call(NamedTuple):
    """A request whose operation and names are known."""

    operation: str
    names: Mapping[str, str]
    request: Request

    @property
    def name(self) -> str:
        """The object, or the source of a copy; empty for none."""
        return self.names.get("name", "")


@dataclass(slots=True)
class _Session:
    """A resumable upload on its way: what it will be, and the bytes so far."""

    bucket: str
    name: str
    content_type: str
    described: dict[str, object]
    query: Mapping[str, str]
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Service:
    """Buckets and uploads on their way.

    Parameters
    ----------
    moves : bool
        Whether ``moveTo`` is known; without it the answer is 400, as some emulators give it.
    """

    address: str = ""
    moves: bool = True
    buckets: dict[str, Bucket] = field(default_factory=dict)
    _sessions: dict[str, _Session] = field(default_factory=dict)

    def recognise(self, request: Request) -> Call:
        """Say which operation a request is. Raises 501 for none that is known, 400 for a parameter that is not."""
        for route in ROUTES:
            match = route.path.fullmatch(request.path)
            if match is None or route.method != request.method:
                continue
            unknown = sorted(set(request.query) - route.known)
            if unknown:
                raise Refused(400, "invalidParameter", f"{route.operation} knows no parameter {unknown}")
            names = {key: unquote(value) for key, value in match.groupdict().items()}
            return Call(_finer(route.operation, request), _with_name(names, request), request)
        raise Refused(501, "notImplemented", f"this fake knows no {request.method} {request.path}")

    def answer(self, call: Call) -> Answer:
        """Do what is asked and answer."""
        does: dict[str, Callable[[Call], Answer]] = {
            "make": self._make, "bucket": self._bucket, "list": self._list, "look": self._look, "read": self._read,
            "delete": self._delete, "move": self._move, "copy": self._copy, "rewrite": self._rewrite,
            "xml list": self._xml_list, "xml read": self._xml_read, "compose": self._compose, "insert": self._insert, "begin": self._begin, "chunk": self._chunk,
        }  # fmt: skip
        try:
            return does[call.operation](call)
        except Refused as error:
            return refusal(error)

    def bucket_of(self, name: str) -> Bucket:
        """Return a bucket. Raises 404."""
        try:
            return self.buckets[name]
        except KeyError:
            raise Refused(404, "notFound", "The specified bucket does not exist.") from None

    # ---- buckets and listings -----------------------------------------------------------------------------------

    def _make(self, call: Call) -> Answer:
        told = call.request.json()
        name = str(told.pop("name", ""))
        if _BUCKET_NAME.fullmatch(name) is None:
            raise Refused(400, "invalid", f"Invalid bucket name: {name!r}")
        if name in self.buckets:
            raise Refused(409, "conflict", "Your previous request to create the named bucket succeeded.")
        self.buckets[name] = Bucket(name, told)
        return in_json(self.buckets[name].resource())

    def _bucket(self, call: Call) -> Answer:
        return in_json(self.bucket_of(call.names["bucket"]).resource())

    def _list(self, call: Call) -> Answer:
        return in_json(self.bucket_of(call.names["bucket"]).list(call.request.query))

    # ---- one object ---------------------------------------------------------------------------------------------

    def _look(self, call: Call) -> Answer:
        bucket = self.bucket_of(call.names["bucket"])
        return in_json(bucket.find(call.name, call.request.query).resource(bucket.name))

    def _read(self, call: Call) -> Answer:
        found = self.bucket_of(call.names["bucket"]).find(call.name, call.request.query)
        return media(found, call.request.headers.get("range"))

    def _delete(self, call: Call) -> Answer:
        self.bucket_of(call.names["bucket"]).delete(call.name, call.request.query)
        return Answer(204)

    def _move(self, call: Call) -> Answer:
        if not self.moves:
            raise Refused(400, "invalid", "moveTo is not supported here.")
        bucket = self.bucket_of(call.names["bucket"])
        return in_json(bucket.move(call.name, call.names["target"], call.request.query).resource(bucket.name))

    def _copy(self, call: Call) -> Answer:
        source, target = self.bucket_of(call.names["bucket"]), self.bucket_of(call.names["other"])
        return in_json(source.copy(call.name, target, call.names["target"], call.request.query).resource(target.name))

    def _rewrite(self, call: Call) -> Answer:
        source, target = self.bucket_of(call.names["bucket"]), self.bucket_of(call.names["other"])
        made = source.copy(call.name, target, call.names["target"], call.request.query)
        size = str(len(made.data))
        told = {"kind": "storage#rewriteResponse", "done": True, "objectSize": size, "totalBytesRewritten": size}
        return in_json({**told, "resource": made.resource(target.name)})

    def _compose(self, call: Call) -> Answer:
        bucket, told = self.bucket_of(call.names["bucket"]), call.request.json()
        parts, destination = told.get("sourceObjects"), told.get("destination")
        kind = destination.get("contentType") if isinstance(destination, Mapping) else None
        made = bucket.compose(
            call.name,
            parts if isinstance(parts, list) else [],
            str(kind or "application/octet-stream"),
            call.request.query,
        )
        return in_json(made.resource(bucket.name))

    def _xml_list(self, call: Call) -> Answer:
        return listing(self.bucket_of(call.names["bucket"]), call.request)

    def _xml_read(self, call: Call) -> Answer:
        return content(self.bucket_of(call.names["bucket"]).find(call.name, {}), call.request)

    # ---- uploads ------------------------------------------------------------------------------------------------

    def _insert(self, call: Call) -> Answer:
        bucket, request = self.bucket_of(call.names["bucket"]), call.request
        if request.query.get("uploadType") == "multipart":
            described, kind, data = two_parts(request)
        else:
            described, kind, data = {}, request.headers.get("content-type", ""), request.body
        made = bucket.insert(call.name, data, str(described.get("contentType") or kind), described, request.query)
        return in_json(made.resource(bucket.name))

    def _begin(self, call: Call) -> Answer:
        bucket, request = self.bucket_of(call.names["bucket"]), call.request
        kind = request.headers.get("x-upload-content-type", "application/octet-stream")
        upload = f"upload-{len(self._sessions) + 1}"
        self._sessions[upload] = _Session(bucket.name, call.name, kind, request.json(), dict(request.query))
        place = f"{self.address}/upload{_API}/{bucket.name}/o?uploadType=resumable&upload_id={upload}"
        return in_json({}, {"Location": place, "X-GUploader-UploadID": upload})

    def _chunk(self, call: Call) -> Answer:
        """Take bytes of a resumable upload; the conditions bite when the last one is there."""
        upload = call.request.query.get("upload_id", "")
        session = self._sessions.get(upload)
        if session is None:
            raise Refused(404, "notFound", f"No such upload: {upload}")
        given = call.request.headers.get("content-range", f"bytes 0-{len(call.request.body) - 1}/*")
        match = _CHUNK.fullmatch(given)
        if match is None or (match[1] is not None and int(match[1]) != len(session.data)):
            raise Refused(400, "invalid", f"Content-Range {given!r} does not continue at {len(session.data)}")
        session.data += call.request.body
        total = match[3]
        if total == "*" and match[1] is not None and len(call.request.body) % _UNIT:
            total = str(len(session.data))
        if total == "*" or len(session.data) < int(total):
            told = {} if not session.data else {"Range": f"bytes=0-{len(session.data) - 1}"}
            return Answer(308, b"", told)
        del self._sessions[upload]
        kind = str(session.described.get("contentType") or session.content_type)
        bucket = self.bucket_of(session.bucket)
        made = bucket.insert(session.name, bytes(session.data), kind, session.described, session.query)
        return in_json(made.resource(bucket.name))


def _finer(operation: str, request: Request) -> str:
    """Operations that share a path: metadata and bytes of an object, whole and resumable uploads."""
    if operation == "look" and request.query.get("alt") == "media":
        return "read"
    if operation == "insert" and request.query.get("uploadType") == "resumable":
        return "begin"
    return operation


def _with_name(names: dict[str, str], request: Request) -> dict[str, str]:
    """The object of an upload, which stands in its parameters or in what describes it."""
    if "name" in names or request.method != "POST" or "uploadType" not in request.query:
        return names
    described: Mapping[str, object] = {}
    if request.query["uploadType"] == "multipart":
        described = two_parts(request)[0]
    elif request.query["uploadType"] == "resumable":
        described = request.json()
    return {**names, "name": str(request.query.get("name") or described.get("name") or "")}
