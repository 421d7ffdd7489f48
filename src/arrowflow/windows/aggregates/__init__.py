"""What is kept per open window: one file per family of accumulators. `windows.functions` names the aggregates.

A new aggregate is an entry in `windows.functions.FUNCTIONS`, a class with the `Accumulator` protocol and a line in
`build.build_accumulator`.
"""
