"""Taking an outlet back: all of it, or it is begun anew."""

from types import SimpleNamespace

import pytest

from arrowflow.errors import RetryableError
from arrowflow.phases import deliver


class Outlet:
    is_fenced_in = False

    def fence(self, _incarnation):
        self.is_fenced_in = True

    def close(self):
        self.is_fenced_in = False

    def keep_alive(self):
        assert self.is_fenced_in


def test_what_was_lost_is_sent_again_by_the_next_try_when_the_first_one_failed(monkeypatch):
    outlet, tries = Outlet(), []

    def restore(*_):
        tries.append(outlet.is_fenced_in)
        if len(tries) == 1:
            raise RetryableError("a request failed on its way")

    monkeypatch.setattr(deliver, "reached_by_marker", lambda *_: "reached")
    monkeypatch.setattr(deliver, "restore_lost", restore)
    job = SimpleNamespace(
        outlets={"alerts": outlet}, delivered={}, head=None, incarnation="i", log=SimpleNamespace(check=lambda _: None)
    )

    with pytest.raises(RetryableError):
        deliver.keep_alive(job)
    deliver.keep_alive(job)

    assert tries == [True, True]
    deliver.keep_alive(job)
    assert len(tries) == 2, "once it is whole nothing is looked at again"
