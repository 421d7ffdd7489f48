"""Objects in Google Cloud Storage; `address` needs no client library, `store` does."""
