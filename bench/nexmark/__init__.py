"""Nexmark's queries 5, 7, 8, 11 and 12 on arrowflow's windows: events from a seed, every answer held against DuckDB's."""
