"""Commit logs: append-only records whose creation makes an epoch true."""
