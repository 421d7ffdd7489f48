"""The TLS side of connections, made of the files that the properties name, and made again when they change on disk. It connects to nothing."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from arrowflow.sources.kafka.wire.faults import NotUnderstood

_FILES = (
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.crl.location",
    "ssl.key.location",
    "ssl.keystore.location",
)
Stamps = tuple[tuple[int, int, int] | None, ...]
"""What tells one state of the files from another; None for a file that is not given or not there."""


def stamps_of(properties: Mapping[str, str]) -> Stamps:
    """Look at the TLS files that properties name: certificates are renewed by writing over them, or by a link to a new one."""
    return tuple(_stamp(properties.get(key)) for key in _FILES)


class Tls:
    """Gives each new connection a context made of the files as they are then.

    Parameters
    ----------
    properties : mapping of str to str
        The source's properties.

    Raises
    ------
    NotUnderstood
        If the files cannot be used.
    """

    def __init__(self, properties: Mapping[str, str]) -> None:
        self._properties = dict(properties)
        self._stamps = stamps_of(properties)
        self._context = _made(properties)

    def context(self) -> ssl.SSLContext:
        """Return what verifies the chain and the host; files that are half renewed are left alone until they fit together."""
        stamps = stamps_of(self._properties)
        if stamps != self._stamps:
            with suppress(NotUnderstood):  # a certificate without its key yet: what was read before may still hold
                self._context, self._stamps = _made(self._properties), stamps
        return self._context


def _stamp(place: str | None) -> tuple[int, int, int] | None:
    if place is None:
        return None
    try:
        told = Path(place).stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino


def _made(properties: Mapping[str, str]) -> ssl.SSLContext:
    """A context that checks the chain and the host; the standard library reads the files."""
    place, text = properties.get("ssl.ca.location"), properties.get("ssl.ca.pem")
    if place == "probe":
        place = None
    try:
        folder = place is not None and Path(place).is_dir()
        context = ssl.create_default_context(
            cafile=None if folder else place, capath=place if folder else None, cadata=text
        )
        if "ssl.crl.location" in properties:
            context.load_verify_locations(properties["ssl.crl.location"])
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        if "ssl.certificate.location" in properties:
            key, password = properties.get("ssl.key.location"), properties.get("ssl.key.password")
            context.load_cert_chain(properties["ssl.certificate.location"], key, password or "")
        elif "ssl.key.location" in properties:
            raise NotUnderstood("'ssl.key.location' stands without 'ssl.certificate.location'")
        if "ssl.cipher.suites" in properties:
            context.set_ciphers(properties["ssl.cipher.suites"])
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise NotUnderstood(f"the TLS files of source.kafka.properties cannot be used: {error}") from error
    return context
