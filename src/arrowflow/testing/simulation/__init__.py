"""Several runs of the real engine in one world of chance: broker, store, clock and names, all from one seed."""
