"""Hohen Neuendorf: the small-town example."""
