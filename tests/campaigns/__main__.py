"""As a command: ``python -m tests.campaigns`` writes docs/fault-report.md from the raw results."""

from __future__ import annotations

import sys

from tests.campaigns.page import PAGE, page
from tests.campaigns.results import read


def main() -> int:
    PAGE.write_text(page(read()), encoding="utf-8")
    print(f"{PAGE} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
