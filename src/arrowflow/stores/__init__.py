"""Stores: where objects live. One adapter per file; none knows what a record or a table is."""
