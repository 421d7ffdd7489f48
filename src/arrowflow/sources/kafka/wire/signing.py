"""What a client says to sign on, for each SASL mechanism; what the server answers goes in by ``send``. It sends nothing itself."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator

from arrowflow.errors import ConfigError, Unreachable
from arrowflow.sources.kafka.wire.scram import Scram
from arrowflow.sources.kafka.wire.settings import SignOn

_PATIENCE_S = 10.0
_LARGEST_TOKEN = 64 * 1024


def words(sign_on: SignOn) -> Generator[bytes, bytes, None]:
    """The client's messages, in turn."""
    if sign_on.mechanism == "PLAIN":
        return _plain(sign_on)
    if sign_on.mechanism == "OAUTHBEARER":
        return _bearer(sign_on)
    return Scram(
        sign_on.mechanism.removeprefix("SCRAM-").replace("-", "").lower(), sign_on.user, sign_on.password
    ).words()


def _plain(sign_on: SignOn) -> Generator[bytes, bytes, None]:
    yield b"\0" + sign_on.user.encode() + b"\0" + sign_on.password.encode()


def _bearer(sign_on: SignOn) -> Generator[bytes, bytes, None]:
    told = [pair for pair in sign_on.extensions.split(",") if pair]
    fields = [f"auth=Bearer {_token(sign_on)}", *told]
    answer = yield ("n,,\x01" + "\x01".join(fields) + "\x01\x01").encode()
    if answer:
        yield b"\x01"  # the server said why it refuses; it ends the exchange once it knows that we have heard
        raise ConfigError(f"the token was refused: {bytes(answer)[:200].decode('utf-8', 'replace')}")


def _token(sign_on: SignOn) -> str:
    """A token of the client-credentials grant."""
    form = {"grant_type": "client_credentials", **({"scope": sign_on.scope} if sign_on.scope else {})}
    login = base64.b64encode(f"{sign_on.user}:{sign_on.password}".encode()).decode()
    head = {"Authorization": f"Basic {login}", "Accept": "application/json"}
    place = f"the token endpoint {sign_on.token_url}"
    # Only https, or http to this machine: `settings` has seen to it.
    asked = urllib.request.Request(sign_on.token_url, urllib.parse.urlencode(form).encode(), head)  # noqa: S310
    try:
        with urllib.request.build_opener(_NoDetour).open(asked, timeout=_PATIENCE_S) as reply:
            token = json.loads(_whole(reply))["access_token"]
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (400, 401, 403):
            raise ConfigError(f"{place} refuses with status {error.code}: check 'sasl.oauthbearer.client.id'") from None
        raise Unreachable(f"{place} answers with status {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{place} cannot be reached: {error!r:.200}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreachable(f"{place} answers with something that holds no access_token") from error
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Unreachable(f"{place} answers with something that holds no access_token")
    return token


def _whole(reply: http.client.HTTPResponse) -> bytes:
    """The answer, as far as a token may be long; one that comes in drops must be there in time, too."""
    deadline, said = time.monotonic() + _PATIENCE_S, b""
    while len(said) <= _LARGEST_TOKEN and (more := reply.read1(_LARGEST_TOKEN + 1 - len(said))):
        said += more
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of the answer came within {_PATIENCE_S:.0f} s")
    return said


class _NoDetour(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: it would carry the secret elsewhere."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None
