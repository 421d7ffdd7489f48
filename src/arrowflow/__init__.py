"""Kafka records in, committed windows out; start reading in `arrowflow.engine`. Importing this package loads nothing.

source -> decode -> transform -> window -> sink -> commit
"""
