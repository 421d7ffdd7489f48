"""Sinks: where rows leave. Staging is invisible, publishing an idempotent redo of what a record says."""
