"""Tram tickets for the Kassel Service Point."""
