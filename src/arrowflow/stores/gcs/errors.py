"""What the client library raises, said in the one tree of errors: what may pass, what must be fixed, what is just an answer."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.storage import exceptions as media

from arrowflow.errors import ArrowflowError, ConfigError, ObjectMissing, RetryableError, Unreachable

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_PASSING_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError"})
_CONNECTION = (
    OSError,  # requests' own errors are among them
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
)
_NO_BUCKET = "bucket does not exist"
_SIGN_IN = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account"


@contextmanager
def translate(verb: str, place: str) -> Iterator[None]:
    """Turn the client's errors into ours; 404 for an object and 412 pass through, for they are answers."""
    try:
        yield
    except (api.GoogleAPICallError, auth.GoogleAuthError, media.DataCorruption, media.InvalidResponse) as error:
        ours = _translated(error, f"cannot {verb} {place}")
        if ours is None:
            raise
        raise ours from error
    except _CONNECTION as error:
        raise Unreachable(f"cannot {verb} {place}: {_brief(error)}; the service was not reached") from error


def _translated(error: Exception, what: str) -> ArrowflowError | None:
    if isinstance(error, auth.GoogleAuthError):
        return _of_sign_in(error, what)
    if isinstance(error, media.DataCorruption):
        return RetryableError(f"{what}: the bytes that arrived do not have the checksum the service gave")
    response = error.response if isinstance(error, api.GoogleAPICallError | media.InvalidResponse) else None
    status = int(getattr(error, "code", 0) or getattr(response, "status_code", 0) or 0)
    message, reason = _answer(response, error)
    if status in _PASSING or reason in _PASSING_REASONS:
        return RetryableError(f"{what}: {message} ({status})")
    if status == 412 or (status == 404 and _NO_BUCKET not in message):
        return None
    return ConfigError(f"{what}: {message} ({status}); {_advice(status, reason)}")


def _of_sign_in(error: auth.GoogleAuthError, what: str) -> ArrowflowError:
    if isinstance(error, auth.TransportError) or getattr(error, "retryable", False):
        return Unreachable(f"{what}: the service that gives credentials was not reached: {_brief(error)}")
    return ConfigError(f"{what}: the credentials do not work: {_brief(error)}; {_SIGN_IN}")


def missing(error: api.ClientError, path: str) -> ArrowflowError:
    """What a 404 says of `path`: that there is no object, or not even the bucket."""
    message, reason = _answer(error.response, error)
    if _NO_BUCKET in message:
        return ConfigError(f"{path}: {message} ({reason}); {_advice(404, reason)}")
    return ObjectMissing(f"{path}: no such object")


def no_credentials(error: auth.DefaultCredentialsError, place: str) -> ConfigError:
    """What a start without credentials is told."""
    return ConfigError(f"{place}: no Google credentials were found ({_brief(error)}); {_SIGN_IN}")


def _advice(status: int, reason: str) -> str:
    if reason in ("retentionPolicyNotMet", "objectUnderActiveHold"):
        return "a retention policy or a hold keeps objects from being moved: take it off the bucket"
    if status == 401:
        return _SIGN_IN
    if status == 403:
        return "give this account the permission on the bucket (docs/gcs.md lists all that are needed)"
    if status == 404:
        return "make the bucket, or correct its name"
    return "this is no error that passes: look at the address and at the bucket's settings"


def _answer(response: object, error: Exception) -> tuple[str, str]:
    """The sentence and the reason in the service's answer, which is JSON but for the bytes of objects."""
    try:
        told = response.json()["error"]  # type: ignore[attr-defined]
        return str(told["message"]), str(told["errors"][0]["reason"])
    except (AttributeError, ValueError, KeyError, IndexError, TypeError):
        return str(getattr(response, "text", "") or getattr(error, "message", "") or error), ""


def _brief(error: BaseException) -> str:
    text = str(error).split("\n", maxsplit=1)[0]
    return f"{type(error).__name__}: {text[:300]}"
