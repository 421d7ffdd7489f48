"""Avro records, framed as a schema registry frames them or bare, to typed columns."""
