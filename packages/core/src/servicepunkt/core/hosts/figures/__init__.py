"""What happened at the points of a house, week by week, without small numbers."""
