"""A child process that never outlives its parent, even one killed with SIGKILL; knows nothing of what it runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

# The shell blocks on a pipe whose other end only the parent holds: the kernel closes it however the parent dies.
# TERM first, so that the child may save; KILL when its grace is over. A background job's stdin is /dev/null,
# hence the copy on descriptor 3; the shell's own output is the pipe on which it tells the child's pid.
_LEASH = """
log=$1
tenths=$2
shift 2
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
child=$!
echo "$child"
exec >/dev/null 2>&1
{
  read -r word <&3
  [ "$word" = kill ] || kill -TERM "$child"
  tries=0
  while [ "$word" != kill ] && kill -0 "$child" && [ "$tries" -lt "$tenths" ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -CONT "$child"
  kill -KILL "$child"
} &
watch=$!
exec 3<&-
wait "$child"
code=$?
kill "$watch"
exit "$code"
"""


class Tethered:
    """A running command whose output goes to a log file and whose life ends with this process.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; no shell looks at them.
    log : Path
        Receives both output streams, appended.
    grace_s : float
        How long it may take to save and end after it was told to, before it is killed.
    keep_open : sequence of int
        Descriptors the child inherits, such as that of a lock it shall hold as long as it lives.
    """

    def __init__(self, command: Sequence[str], log: Path, grace_s: float = 5.0, keep_open: Sequence[int] = ()) -> None:
        import fcntl  # not on Windows, where there is no leash either

        # The leash uses descriptor 3 itself, so what the child keeps is numbered out of its way.
        kept = [fcntl.fcntl(each, fcntl.F_DUPFD, 20) for each in keep_open]
        try:
            # A session of its own: Ctrl-C in a terminal is for the engine, which drains and then stops us.
            self._shell = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", _LEASH, "sh", str(log), str(int(grace_s * 10)), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=kept,
            )
        finally:
            for each in kept:
                os.close(each)
        assert self._shell.stdout is not None
        with self._shell.stdout as reply:
            self.pid = int(reply.readline())
        self.log = log
        self._grace_s = grace_s

    @property
    def running(self) -> bool:
        return self._shell.poll() is None

    def stop(self) -> None:
        """Ask the child to end, wait, and insist when its grace is over; safe to call twice."""
        self._release(b"")

    def kill(self) -> None:
        """End the child at once, as a crash would."""
        self._release(b"kill\n")

    def freeze(self) -> None:
        """Stop the child's clock, like a paused virtual machine, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen child go on."""
        os.kill(self.pid, signal.SIGCONT)

    def tail(self, size: int = 2000) -> str:
        """The end of the log, for error messages."""
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""

    def _release(self, word: bytes) -> None:
        pipe = self._shell.stdin
        if pipe is not None and not pipe.closed:
            try:
                pipe.write(word)
                pipe.close()
            except BrokenPipeError:
                pass  # the child ended by itself
        try:
            self._shell.wait(2 * self._grace_s + 10)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()


def free_ports(count: int = 1) -> tuple[int, ...]:
    """Loopback ports that nobody listened on a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(each.getsockname()[1] for each in sockets)
    finally:
        for each in sockets:
            each.close()
