"""Compiled loops over received bytes: the only place of the Kafka adapter that imports numba.

The house's rules for kernels hold (`arrowflow.windows.kernels`), and one more: nothing is read before it was checked to
lie inside its section, since lengths and counts come from outside.
"""
