"""Flats of GWG for the Kassel Service Point."""
