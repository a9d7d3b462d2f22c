"""Help calls: somebody at a terminal wants a person; staff see where, not who."""
