"""Incidents on the floor: reported by the host, answered by the staff of the point."""
