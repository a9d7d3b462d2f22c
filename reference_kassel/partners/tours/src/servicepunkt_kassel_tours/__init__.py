"""Guided tours for the Kassel Service Point."""
