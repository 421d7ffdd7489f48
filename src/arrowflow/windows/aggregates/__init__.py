"""Aggregates. `functions` names them and their types; one file per kind of accumulator does the work.

A new aggregate is an entry in `functions.FUNCTIONS`, a class with the `Accumulator` protocol and a line in
`build.build_accumulator`.
"""
