"""One setting swept while all others stand still: keys, message size, codec, skew, a spike of load, disorder."""
