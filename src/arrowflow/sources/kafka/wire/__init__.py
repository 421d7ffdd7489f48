"""Kafka's protocol as far as reading needs it: frames, sign-on, fetches, record batches. It knows no engine and no client."""
