"""The scheduler of ``pytest -n``. Only loaded there: tests run without pytest-xdist too."""

from __future__ import annotations

from tests.support.order import share_of
from xdist.scheduler import LoadScopeScheduling


class ByShare(LoadScopeScheduling):
    """Deals shares of `order.py` in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)
