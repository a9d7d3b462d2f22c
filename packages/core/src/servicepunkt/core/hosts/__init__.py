"""The host as a party: its own hours, incidents in its house, its spaces, how many come, what the point counts."""
