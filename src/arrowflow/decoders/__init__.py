"""Bytes of one record to one row of typed columns; a decoder never drops, adds or reorders a row."""
