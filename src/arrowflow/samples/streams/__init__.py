"""The generators: what arrives, in which order, with which faults. They never say what the right result is."""
