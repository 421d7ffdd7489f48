"""The window core: event times in, closed windows out. It reads no clock, no environment and no zone database.

Start with `spec` (what a user describes), then `operator` (the rules), then `state` (what a crash must not lose).

spec        descriptions with a `build`; loads neither numba nor kernels
plan        a description checked against a schema
functions   names, types and families of the aggregates
clocks      partition clocks and the watermark
operator    fold, close, restore: the rules
passing     the operator of a pipeline without a window
state       open panes as lanes of arrays and as one Arrow table
kinds/      one file per kind of window: event times to panes
aggregates/ one file per family of aggregates: values to accumulators to results
kernels/    the compiled loops; the only room here that imports numba
"""
