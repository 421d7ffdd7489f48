"""A local Kafka-compatible broker for the first minute and for tests; never for production.

It runs a pinned wheel as a child process behind this one small adapter. The folder it works in is new, empty or
made by an earlier start of ours; it is filled once with a sample stream and then only read.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from arrowflow.errors import ConfigError, Unreachable
from arrowflow.protocols import SampleStream
from arrowflow.sources.kafka.tether import Tethered, free_ports

MARKER = "arrowflow-embedded.json"
"""Says that a folder is ours and what it holds; without it a folder that is not empty is somebody else's."""

_READY_S = 20.0
_GRACE_S = 60.0
"""It saves everything it holds when it ends: 400,000 records took longer than five seconds on a busy machine."""
_LOCK_S = 75.0
_BROKER, _LOG, _LOCK = "broker", "broker.log", "lock"


@dataclass(frozen=True, slots=True)
class EmbeddedSpec:
    """Describes an embedded broker.

    Parameters
    ----------
    data_dir : str
        Folder of its data: new, empty, or carrying our marker.
    sample : SampleStream, optional
        What its topics are filled with, once; without one the folder's topics are what somebody produced.
    lake : str, optional
        Folder the job writes to. It too must be new, empty or carry our marker: one forgotten variable must not
        write sample shifts into a production lake.
    """

    data_dir: str
    sample: SampleStream | None = None
    lake: str | None = None

    def start(self, topics: Sequence[str]) -> EmbeddedBroker:
        """Start the broker, filling it first if that never ended well; raises `ConfigError` with the way out."""
        program = _program()
        home = Path(self.data_dir).absolute()
        self.claim()
        lock = _locked(home)
        try:
            held = _read_marker(home)
            if held.get("state") != "filled":
                held = self._fill(program, home, lock)
            self._compare(home, held, topics)
            return _launched(program, home, lock, str(held["cluster"]))
        finally:
            os.close(lock)  # the child holds its copy: the folder is free when the last of them is gone

    def claim(self) -> None:
        """Make the folders ours, or raise `ConfigError` if they hold what we did not make; may be called again."""
        if os.name == "nt":
            raise ConfigError('brokers = "embedded" is untested on Windows; use the replay source or a real broker')
        for place in (self.lake, self.data_dir):
            if place is not None:
                try:
                    _claim(place)
                except OSError as error:
                    raise ConfigError(f"the embedded broker cannot use {error.filename}: {error.strerror}") from error

    @property
    def _digest(self) -> str | None:
        return None if self.sample is None else self.sample.digest

    def _compare(self, home: Path, held: dict[str, object], topics: Sequence[str]) -> None:
        if self.sample is None:
            return
        if held.get("digest") != self._digest:
            raise ConfigError(
                f"the embedded broker in {home} holds sample {held.get('digest')}, this job wants {self._digest}: "
                "delete that folder and the lake beside it, or name another folder"
            )
        if missing := sorted(set(topics) - set(self.sample.partitions)):
            offered = ", ".join(sorted(self.sample.partitions))
            raise ConfigError(f"source.kafka.topics: the sample has no topic {', '.join(missing)}; it has {offered}")

    def _fill(self, program: Path, home: Path, lock: int) -> dict[str, object]:
        """Produce the sample into a fresh broker; the marker says "filled" only once the broker has saved it."""
        shutil.rmtree(home / _BROKER, ignore_errors=True)
        held: dict[str, object] = {"state": "filled", "digest": self._digest, "cluster": _cluster_id(self._digest)}
        if self.sample is not None:
            from arrowflow.sources.kafka.filling import fill, verify

            broker = _launched(program, home, lock, "")
            try:
                counts = fill(broker.bootstrap, self.sample)
            finally:
                # This broker saves in the background and when it ends: killed before, it forgets whole topics.
                broker.stop()
            broker = _launched(program, home, lock, "")
            try:
                verify(broker.bootstrap, counts)
            finally:
                broker.stop()
        _write_marker(home, held)
        return held


class EmbeddedBroker:
    """A running embedded broker. It ends with this process, however that ends.

    Parameters
    ----------
    bootstrap : str
        Its address.
    cluster_id : str
        Names what the folder holds: the broker's own id is the same for everyone.
    """

    def __init__(self, bootstrap: str, cluster_id: str, process: Tethered) -> None:
        self.bootstrap = bootstrap
        self.cluster_id = cluster_id
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End the broker after it saved its data; safe to call twice."""
        self._process.stop()

    def kill(self) -> None:
        """End it at once: what it has not saved is lost."""
        self._process.kill()


def installed() -> None:
    """Raise `ConfigError`, with what to install, where the broker's wheel is missing."""
    _program()


def _program() -> Path:
    if importlib.util.find_spec("noida_db") is None:
        raise ConfigError(
            "brokers = \"embedded\" needs the embedded broker's wheel: pip install 'arrowflow[embedded]', "
            "or read archived files with [source.replay] where there is no wheel for this machine"
        )
    program = Path(str(files("noida_db").joinpath("noida-db")))
    if not os.access(program, os.X_OK):
        program.chmod(0o755)  # wheels lose the bit; its own launcher does the same
    return program


def _claim(place: str) -> None:
    if "://" in place:
        raise ConfigError(
            f'brokers = "embedded" works with local folders only, not with {place!r}; set ARROWFLOW_BROKERS'
        )
    folder = Path(place).absolute()
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise ConfigError(
            f'brokers = "embedded" would put sample records beside data it did not make: {folder} is not empty and has '
            f"no {MARKER}. Set ARROWFLOW_BROKERS to your cluster, or choose a new folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / MARKER).exists():
        _write_marker(folder, {"state": "claimed"})


def _locked(home: Path) -> int:
    """Take the folder's lock and return its descriptor; waits for the broker of a run that has just died."""
    import fcntl  # not on Windows

    lock = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise ConfigError(
                    f"another run has its embedded broker in {home}; stop it or name another folder"
                ) from None
            time.sleep(0.05)
        else:
            return lock


def _launched(program: Path, home: Path, lock: int, cluster_id: str) -> EmbeddedBroker:
    (port,) = free_ports()
    # Its own note of who runs here: after a power cut it may name a stranger's pid. Our lock is the better proof.
    (home / _BROKER / "noida.control.json").unlink(missing_ok=True)
    options = ["--only", "kafka", "--kafka-port", str(port), "--data-dir", str(home / _BROKER)]
    process = Tethered([str(program), "start", *options], home / _LOG, _GRACE_S, keep_open=(lock,))
    deadline = time.monotonic() + _READY_S
    while not _listens(port):
        if not process.running or time.monotonic() > deadline:
            said = process.tail()
            process.kill()
            raise Unreachable(f"the embedded broker did not start in {home}; the end of its log:\n{said}")
        time.sleep(0.02)
    return EmbeddedBroker(f"127.0.0.1:{port}", cluster_id, process)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def _cluster_id(digest: str | None) -> str:
    """The same sample is the same log, whatever folder it is in; other data get an id of their own."""
    return f"embedded-{uuid.uuid4()}" if digest is None else f"embedded-{digest}"


def _read_marker(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / MARKER).read_text())
    return found


def _write_marker(folder: Path, held: dict[str, object]) -> None:
    draft = folder / f"{MARKER}.{os.getpid()}"
    with draft.open("w") as out:
        out.write(json.dumps(held))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(folder / MARKER)
