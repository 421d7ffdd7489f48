"""SCRAM (RFC 5802): proves a password without sending it, and the server with it. It sends nothing itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Generator

from arrowflow.errors import ConfigError

FEWEST, MOST = 4096, 1_000_000
"""Rounds of hashing a server may ask for: fewer make the password cheap to guess, more are an attack on our time."""


class Scram:
    """One sign-on.

    Parameters
    ----------
    digest : str
        ``sha256`` or ``sha512``.
    user, password : str
        ASCII.
    nonce : str, optional
        For tests.
    """

    def __init__(self, digest: str, user: str, password: str, nonce: str | None = None) -> None:
        self._digest = digest
        self._user = user.replace("=", "=3D").replace(",", "=2C")
        self._password = password
        self._nonce = nonce or secrets.token_urlsafe(24)

    def words(self) -> Generator[bytes, bytes, None]:
        """What to send, in turn; an answer goes in by ``send``. Ends once the server has proved itself.

        Raises
        ------
        ConfigError
            If the server refuses, asks for a senseless number of rounds, or cannot prove that it knows the password.
        """
        bare = f"n={self._user},r={self._nonce}"
        first = yield f"n,,{bare}".encode()
        told = _fields(first)
        nonce, salt, rounds = told.get("r", ""), _decoded(told.get("s", "")), told.get("i", "")
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce) or not salt:
            raise ConfigError("the server's first SCRAM message does not answer ours: is this the right broker?")
        if not (rounds.isascii() and rounds.isdigit() and len(rounds) < 9 and FEWEST <= int(rounds) <= MOST):
            raise ConfigError(f"the server asks for {rounds[:20]!r} rounds of SCRAM; {FEWEST} to {MOST} are taken")
        salted = hashlib.pbkdf2_hmac(self._digest, self._password.encode(), salt, int(rounds))
        client_key = self._mac(salted, b"Client Key")
        proofless = f"c={base64.b64encode(b'n,,').decode()},r={nonce}"
        signed = b",".join((bare.encode(), bytes(first), proofless.encode()))
        signature = self._mac(hashlib.new(self._digest, client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        last = _fields((yield f"{proofless},p={base64.b64encode(proof).decode()}".encode()))
        if "e" in last:
            raise ConfigError(f"SCRAM was refused: {last['e'][:100]}")
        server = self._mac(self._mac(salted, b"Server Key"), signed)
        if not hmac.compare_digest(_decoded(last.get("v", "")), server):
            raise ConfigError("the server cannot prove that it knows the password: is this the right broker?")

    def _mac(self, key: bytes, text: bytes) -> bytes:
        return hmac.digest(key, text, self._digest)


def _fields(message: bytes) -> dict[str, str]:
    text = bytes(message).decode("utf-8", "replace")
    return {part[0]: part[2:] for part in text.split(",") if part[1:2] == "="}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
