"""The audit chain: append-only entries, each hashed over its predecessor, verifiable offline."""
