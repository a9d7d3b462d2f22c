"""A tenant file to look at before it is in force: every screen, every message and sixty days of hours in one file."""
