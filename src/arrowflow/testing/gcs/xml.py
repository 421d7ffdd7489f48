"""The little of the XML API that readers of tables use, Polars among them: listings and bytes. Changes nothing."""

from __future__ import annotations

from xml.sax.saxutils import escape

from arrowflow.testing.gcs.objects import Bucket, Stored
from arrowflow.testing.gcs.wire import Answer, Request, media

LISTING = frozenset(
    {"list-type", "prefix", "delimiter", "continuation-token", "start-after", "max-keys", "encoding-type"}
)
_MODIFIED = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
_PAGE = 1000


def listing(bucket: Bucket, request: Request) -> Answer:
    """One page of ``GET /bucket?list-type=2``."""
    asked = request.query
    query = {
        "prefix": asked.get("prefix", ""),
        "delimiter": asked.get("delimiter", ""),
        "pageToken": asked.get("continuation-token") or asked.get("start-after", ""),
        "maxResults": asked.get("max-keys", str(_PAGE)),
    }
    page = bucket.list(query)
    items, prefixes = page.get("items", []), page.get("prefixes", [])
    token = page.get("nextPageToken")
    parts = [f"<Name>{escape(bucket.name)}</Name><IsTruncated>{str(token is not None).lower()}</IsTruncated>"]
    if isinstance(items, list):
        parts += [_content(bucket.objects[item["name"]]) for item in items]
    if isinstance(prefixes, list):
        parts += [f"<CommonPrefixes><Prefix>{escape(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes]
    if token is not None:
        parts.append(f"<NextContinuationToken>{escape(str(token))}</NextContinuationToken>")
    body = f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>{"".join(parts)}</ListBucketResult>'
    return Answer(200, body.encode(), {"Content-Type": "application/xml; charset=UTF-8"})


def content(found: Stored, request: Request) -> Answer:
    """The bytes of ``GET /bucket/object``, or a range of them; `HEAD` is answered the same and sent without them."""
    answer = media(found, request.headers.get("range"))
    return Answer(answer.status, answer.body, {**answer.headers, **_MODIFIED, "ETag": f'"{found.generation}"'})


def _content(found: Stored) -> str:
    told = {
        "Key": escape(found.name),
        "LastModified": "2026-01-01T00:00:00.000Z",
        "ETag": f"&quot;{found.generation}&quot;",
        "Size": str(len(found.data)),
    }
    return "<Contents>" + "".join(f"<{tag}>{text}</{tag}>" for tag, text in told.items()) + "</Contents>"
