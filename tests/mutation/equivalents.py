"""Mutants that change no result, each with the reason: (file, line before, line after). They still count as survivors."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {}
