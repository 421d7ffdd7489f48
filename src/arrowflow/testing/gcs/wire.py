"""Requests and answers as values, and the bodies in which bytes travel with what describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from arrowflow.testing.gcs.objects import Refused, Stored

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its body whole."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> dict[str, object]:
        """The body as a JSON object; empty for no body. Raises 400 for anything else."""
        try:
            read = json.loads(self.body or b"{}")
        except ValueError:
            raise Refused(400, "parseError", "The body is no JSON.") from None
        if not isinstance(read, dict):
            raise Refused(400, "parseError", "The body is no JSON object.")
        return read


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def in_json(told: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of 200 with a JSON object."""
    kind = {"Content-Type": "application/json; charset=UTF-8"}
    return Answer(200, json.dumps(told).encode(), kind | dict(headers or {}))


def refusal(error: Refused) -> Answer:
    """An answer in the form of the service's errors; 304 has no body."""
    if error.status == 304:
        return Answer(304)
    detail = {"message": error.message, "domain": "global", "reason": error.reason}
    told = {"error": {"code": error.status, "message": error.message, "errors": [detail]}}
    return Answer(error.status, json.dumps(told).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def media(found: Stored, wanted: str | None) -> Answer:
    """An answer with the bytes of an object, or the range of them that was asked for."""
    hashes = f"crc32c={found.crc32c}" + ("" if found.md5 is None else f",md5={found.md5}")
    headers = {
        "Content-Type": found.content_type,
        "X-Goog-Hash": hashes,
        "X-Goog-Generation": str(found.generation),
        "X-Goog-Metageneration": "1",
        "X-Goog-Stored-Content-Length": str(len(found.data)),
        "X-Goog-Stored-Content-Encoding": "identity",
        "ETag": str(found.generation),
    }
    match = None if wanted is None else _RANGE.fullmatch(wanted)
    if match is None:
        return Answer(200, found.data, headers)
    size = len(found.data)
    if match[1]:
        start, stop = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    else:
        start, stop = max(0, size - int(match[2] or 0)), size
    if start >= size:
        raise Refused(416, "requestedRangeNotSatisfiable", f"{wanted} of {size} bytes")
    return Answer(206, found.data[start:stop], headers | {"Content-Range": f"bytes {start}-{stop - 1}/{size}"})


def two_parts(request: Request) -> tuple[dict[str, object], str, bytes]:
    """Take a multipart upload apart: what describes the object, its content type, its bytes exactly as they are.

    Only a whole delimiter line counts, so bytes that look like one stay what they are.
    """
    found = _BOUNDARY.search(request.headers.get("content-type", ""))
    if found is None:
        raise Refused(400, "badContent", "A multipart upload needs a boundary in its content type.")
    delimiter = b"--" + found[1].encode()
    body = b"\r\n" + request.body
    pieces = body.split(b"\r\n" + delimiter)
    if len(pieces) != 4 or not pieces[3].startswith(b"--"):
        raise Refused(400, "badContent", "A multipart upload has two parts and an end.")
    _, described = _headers(pieces[1])
    kind, data = _headers(pieces[2])
    return Request("", "", {}, {}, described).json(), kind, data


def _headers(piece: bytes) -> tuple[str, bytes]:
    head, _, body = piece.partition(b"\r\n\r\n")
    kind = "application/octet-stream"
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            kind = value.strip()
    return kind, body
