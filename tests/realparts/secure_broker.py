"""A real Kafka with every way to sign on: SASL PLAIN, SCRAM and OAUTHBEARER, bare and under TLS, short-lived sessions."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from tests.realparts.kafka_broker import KafkaBroker

from arrowflow.sources.kafka.tether import free_ports

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_JAAS = "org.apache.kafka.common.security"


class SecureBroker(KafkaBroker):
    """A broker whose listeners ask who is there.

    `at` maps a security protocol to a bootstrap address. Everybody is ``alice`` with the password ``alice-secret``;
    OAUTHBEARER takes unsigned tokens. `authority` is a file with the certificate to trust, good for 127.0.0.1 and for
    localhost; `other_authority` has signed nothing here.

    Parameters
    ----------
    settings : mapping, optional
        As for `KafkaBroker`.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        ports = free_ports(3)
        protocols = ("SASL_PLAINTEXT", "SASL_SSL", "SSL")
        self.at = {each: f"127.0.0.1:{port}" for each, port in zip(protocols, ports, strict=True)}
        super().__init__(settings)

    def _write_settings(self, controller: int, settings: Mapping[str, str]) -> None:
        self.authority = self._certificate("server", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self.other_authority = self._certificate("other", "subjectAltName=DNS:elsewhere.example")
        places = {"PLAINTEXT": self.bootstrap, "CONTROLLER": f"127.0.0.1:{controller}", **self.at}
        kinds = {"CONTROLLER": "PLAINTEXT"}
        ours = {
            "listeners": ",".join(f"{name}://{place}" for name, place in places.items()),
            "listener.security.protocol.map": ",".join(f"{name}:{kinds.get(name, name)}" for name in places),
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.folder / "server.both.pem"),
            "ssl.client.auth": "none",
        }
        logins = {
            "plain": f'{_JAAS}.plain.PlainLoginModule required user_alice="alice-secret";',
            "scram-sha-256": f"{_JAAS}.scram.ScramLoginModule required;",
            "scram-sha-512": f"{_JAAS}.scram.ScramLoginModule required;",
            "oauthbearer": f'{_JAAS}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="alice";',
        }
        for listener in ("sasl_plaintext", "sasl_ssl"):
            ours |= {f"listener.name.{listener}.{name}.sasl.jaas.config": login for name, login in logins.items()}
        super()._write_settings(controller, ours | dict(settings))

    def _certificate(self, name: str, extension: str) -> str:
        """A key and a certificate that signed itself; returns the file of the certificate."""
        key, certificate = self.folder / f"{name}.key.pem", self.folder / f"{name}.pem"
        asked = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        made = ["-keyout", str(key), "-out", str(certificate), "-addext", extension]
        subprocess.run(["openssl", *asked, *made], check=True, capture_output=True, timeout=60)
        (self.folder / f"{name}.both.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        return str(certificate)

    def _format_options(self) -> list[str]:
        users = [f"{name}=[name=alice,password=alice-secret,iterations=8192]" for name in MECHANISMS[1:3]]
        return [word for user in users for word in ("--add-scram", user)]
