"""What becomes of output that nobody takes: a reader that left, a full disk, a closed stream. Never decides what is said."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import IO

import click

from arrowflow.errors import ConfigError, RetryableError

UNREAD = 141
"""As a shell tells it of a program whose reader left: 128 and SIGPIPE."""

_MAY_PASS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENXIO, errno.EBADF, errno.EMFILE, errno.ENFILE}
)
_TO_FIX = frozenset({errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG})


def say(text: str) -> None:
    """Write a line to stderr if that can be done: no run ends because nobody reads about it."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        let_go(sys.stderr)
    except (OSError, ValueError):
        pass  # a disk that is full now may take the next line


def let_go(stream: IO[str] | None) -> None:
    """Point a broken stream at nothing, so that what is left in its buffer fails nobody when the process ends."""
    with suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())  # type: ignore[union-attr]
        os.close(nothing)


def flush() -> None:
    """Empty the buffer of stdout; raises what the stream raises."""
    if sys.stdout is not None:
        sys.stdout.flush()


def settle() -> None:
    """Empty the buffers at the end of a verb; what cannot be written by now is given up."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            let_go(stream)


def exit_code_of(error: OSError) -> int | None:
    """Return the exit code for what the machine refused and a person can mend; None for what may be a bug."""
    if error.errno in _MAY_PASS:
        return RetryableError.exit_code
    return ConfigError.exit_code if error.errno in _TO_FIX else None


def on_terminal() -> bool:
    """Whether both streams are a terminal that can be drawn on."""
    streams = (sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"
