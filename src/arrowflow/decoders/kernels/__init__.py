"""Compiled loops over the bytes of records; they read what they are sure of and leave the rest alone."""
