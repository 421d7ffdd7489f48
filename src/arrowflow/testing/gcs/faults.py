"""What can go wrong between a client and the service, planned by counting requests and never by chance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["refuse", "refuse_after", "drop", "drop_after", "truncate", "flip", "delay", "late", "twice"]


@dataclass(slots=True)
class Fault:
    """Do something bad to the n-th request that it fits.

    Parameters
    ----------
    kind : Kind
        refuse : answer `status` and do nothing;
        refuse_after : do it, then answer `status`;
        drop : close the connection and do nothing;
        drop_after : do it, then close the connection without an answer;
        truncate : do it, and send half of the answer's bytes;
        flip : do it, and send an answer with one bit of its body changed;
        delay : wait `seconds`, then do it;
        late : close the connection, and do it only when `FakeGcs.release` is called, as a packet that was on the way;
        twice : do it twice and answer what the second one got, as a proxy that repeats requests.
    on : str
        The operation: insert, begin (a resumable upload), chunk, look, read, list, delete, move, copy, rewrite, compose,
        bucket; empty for any.
    call : int
        Which of the requests that fit, from 1, counted from when the fault is arranged.
    every : int
        Again after so many more; 0 for once. 1 is "from then on".
    name : str
        Part of the object's name; for a copy or move, of the source's.
    status, reason
        What ``refuse`` and ``refuse_after`` answer.
    seconds : float
        How long ``delay`` waits.
    """

    kind: Kind
    on: str = ""
    call: int = 1
    every: int = 0
    name: str = ""
    status: int = 503
    reason: str = "backendError"
    seconds: float = 0.0
    seen: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)

    def strikes(self, operation: str, name: str) -> bool:
        """Whether this request, which is counted if it fits, is one to spoil."""
        if self.on not in ("", operation) or self.name not in name:
            return False
        self.seen += 1
        beyond = self.seen - self.call
        hit = beyond == 0 or (beyond > 0 and self.every > 0 and beyond % self.every == 0)
        self.struck += hit
        return hit
