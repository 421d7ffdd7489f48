"""Counting instead of timing: what a machine that is busy, or another machine, does not change."""
