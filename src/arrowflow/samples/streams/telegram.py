"""The bytes of a value: an object as JSON, and the ways gateways break one. It never decides where one goes."""

from __future__ import annotations

import json
from collections.abc import Mapping


def text(fields: Mapping[str, object]) -> bytes:
    """The object as compact UTF-8 JSON, fields in the order given."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def ascii_text(fields: Mapping[str, object]) -> bytes:
    """The same object with everything outside ASCII escaped."""
    return json.dumps(fields, separators=(",", ":")).encode()


BREAKAGES = (
    "empty",
    "truncated",
    "array",
    "two_documents",
    "bad_utf8",
    "text_number",
    "overflow",
    "no_time",
    "nan",
    "bare",
)
"""Ways a record goes wrong; each leads to one reason in the dead letters."""


def broken(how: str, fields: Mapping[str, object], whole: str, time: str) -> bytes:
    """The object spoilt in one way; `whole` names an integer field, `time` the event time."""
    good = text(fields)
    match how:
        case "empty":
            return b""
        case "truncated":
            return good[: len(good) * 2 // 3]
        case "array":
            return b"[" + good + b"]"
        case "two_documents":
            return good + good
        case "bad_utf8":
            return good[:-1] + b',"nota":"caf\xe9"}'  # Latin-1 in a field that no schema reads
        case "text_number":
            return text({**fields, whole: "12"})
        case "overflow":
            return text({**fields, whole: 2**63})
        case "no_time":
            return text({name: value for name, value in fields.items() if name != time})
        case "nan":
            return text({**fields, whole: None}).replace(b":null", b":NaN", 1)
        case "bare":
            return b"42"
        case _:
            raise AssertionError(how)
