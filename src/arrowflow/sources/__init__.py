"""Where records come from: Kafka, and archived files that replay it. Nothing here decodes a record."""
