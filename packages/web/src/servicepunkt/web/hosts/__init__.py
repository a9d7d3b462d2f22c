"""Pages for the host of a house, and for those at its points: today, hours, incidents, spaces, figures."""
