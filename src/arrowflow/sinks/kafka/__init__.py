"""Rows as records of a topic: an outbox with every epoch, delivered in transactions that carry their own marker."""
