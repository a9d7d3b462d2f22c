"""Where a catalogue comes from: the records of each source, and how they become one catalogue."""
