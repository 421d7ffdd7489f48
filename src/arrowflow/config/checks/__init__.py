"""How the sections of one file fit each other. Each check yields sentences with places; none changes anything."""

from __future__ import annotations

from collections.abc import Mapping

from arrowflow.config.checks import flow, outputs, source, topics, windows
from arrowflow.config.document import Document
from arrowflow.config.problem import Problem
from arrowflow.config.sections import Sections


def check_sections(sections: Sections, document: Document, env: Mapping[str, str]) -> list[Problem]:
    """Run every check that the readable sections allow."""
    checks = (*outputs.CHECKS, *source.CHECKS, *topics.CHECKS, *windows.CHECKS, *flow.CHECKS)
    return [problem for check in checks for problem in check(sections, document, env)]
