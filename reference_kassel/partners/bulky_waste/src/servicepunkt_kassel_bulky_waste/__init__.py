"""Bulky waste for the Kassel Service Point."""
