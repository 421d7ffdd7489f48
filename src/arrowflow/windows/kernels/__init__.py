"""Compiled loops over arrays: the only place of the window core that imports numba.

Every kernel is one plain loop with an explicit signature; it calls only kernels of its own file (numba's cache does
not notice a change in another file), holds no state and runs as ordinary Python with ``NUMBA_DISABLE_JIT=1``.
"""
