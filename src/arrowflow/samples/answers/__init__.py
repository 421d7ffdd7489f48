"""What the right result of each sample is, in plain Python; never with the engine's windows, decoders or calendars."""
