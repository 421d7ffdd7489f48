"""A network that misbehaves between the engine and a broker: the job gives the same rows. And the proxy does what it says."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from tests.chaos.toxics import CASES, tried

from arrowflow.testing import proxy as toxic
from arrowflow.testing.proxy import Proxy

IN_A_BUILD = ("latency", "single bytes", "reset", "limit data", "half-open")
"""The others are tried by ``python -m tests.chaos.toxics``."""


@pytest.mark.embedded
@pytest.mark.slow
@pytest.mark.parametrize("name", IN_A_BUILD)
def test_row_70_a_job_behind_this_toxic_gives_the_rows_it_gives_without(name, embedded, tmp_path):
    wrong, between = tried(embedded, CASES[name], tmp_path)

    assert wrong == []
    assert between.connections > 1


@contextlib.contextmanager
def server():
    """Sends back what it gets, until it gets nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve(connection):
            with contextlib.suppress(OSError), connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def through(*toxics, rewrite=False):
    """A proxy before an echo, and a client connected to it."""
    with server() as echo, Proxy(echo, rewrite=rewrite) as between:
        between.toxics = toxics
        with socket.create_connection(("127.0.0.1", between.port), 30) as client:
            yield between, client, echo


def received(client, wanted: int) -> bytes:
    """What comes, up to `wanted` bytes, until the end."""
    got = b""
    while len(got) < wanted and (data := client.recv(wanted - len(got))):
        got += data
    return got


DATA = bytes(range(256)) * 400


@pytest.mark.parametrize(
    "toxics",
    [
        (),
        (toxic.Latency(seconds=0.01, jitter_s=0.01),),
        (toxic.Slicer(size=999),),
        (toxic.Bandwidth(bytes_per_s=2_000_000),),
        (toxic.Latency(way="up", seconds=0.01), toxic.Slicer(way="down", size=5000)),
    ],
    ids=lambda toxics: "+".join(type(each).__name__ for each in toxics) or "none",
)
def test_these_change_no_byte(toxics):
    with through(*toxics) as (_, client, _echo):
        client.sendall(DATA)

        assert received(client, len(DATA)) == DATA


def test_latency_and_bandwidth_take_time():
    for each, least in ((toxic.Latency(way="up", seconds=0.2), 0.2), (toxic.Bandwidth(way="up", bytes_per_s=500), 0.2)):
        with through(each) as (_, client, _echo):
            began = time.monotonic()
            client.sendall(b"x" * 100)
            received(client, 100)

            assert time.monotonic() - began >= least


def test_limit_data_ends_in_the_middle():
    with through(toxic.LimitData(way="down", limit=1000)) as (_, client, _echo):
        client.sendall(DATA)

        assert received(client, len(DATA)) == DATA[:1000]


def test_timeout_passes_nothing_on_and_ends():
    with through(toxic.Timeout(seconds=0.05)) as (_, client, _echo):
        client.sendall(b"hello")

        assert received(client, 5) == b""


def test_reset_peer_is_a_reset_and_no_orderly_end():
    with through(toxic.ResetPeer()) as (_, client, _echo):
        client.sendall(b"hello")

        with pytest.raises(ConnectionResetError):
            received(client, 5)


def test_half_open_says_nothing_at_all():
    with through(toxic.HalfOpen()) as (between, client, _):
        client.sendall(b"hello")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(5)

        between.toxics = ()
        client.settimeout(30)
        assert client.recv(5) == b"", "what was swallowed is gone, so the connection ends"


def test_slow_close_ends_the_other_side_later():
    with through(toxic.SlowClose(seconds=0.3)) as (_, client, _echo):
        client.sendall(b"hello")
        assert received(client, 5) == b"hello"
        began = time.monotonic()
        client.shutdown(socket.SHUT_WR)

        assert client.recv(1) == b""
        assert time.monotonic() - began >= 0.25


def test_down_lets_nobody_in_and_cut_ends_who_is_in():
    with through() as (between, client, _):
        client.sendall(b"hello")
        received(client, 5)
        between.toxics = (toxic.Down(),)
        between.cut()
        assert client.recv(1) == b""

        with pytest.raises(OSError, match=r"reset|refused|Broken pipe"):
            _ask(between.port)


def _ask(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        while True:
            client.sendall(b"hello")
            client.recv(1)


@pytest.mark.parametrize("cut", range(14))
def test_the_address_of_the_server_is_told_as_the_proxys_wherever_it_is_cut(cut):
    """And an end that only looks like the beginning of one is not kept back for ever."""
    with through(rewrite=True) as (between, client, echo):
        port = int(echo.split(":")[1]).to_bytes(4, "big")
        said = b"127.0.0.1" + port + b"1"
        client.sendall(said[:cut])
        time.sleep(0.001)
        client.sendall(said[cut:])

        got = received(client, len(said))
        if got != said:  # cut so that its parts came more than the proxy's patience apart: then it is not recognised
            assert got == b"127.0.0.1" + between.port.to_bytes(4, "big") + b"1"
        assert got.endswith(b"1")
        assert cut not in (0, 13) or got != said
