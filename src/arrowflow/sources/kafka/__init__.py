"""The Kafka source: its description in `spec`, the truth path in `client`, a local broker in `embedded`."""
