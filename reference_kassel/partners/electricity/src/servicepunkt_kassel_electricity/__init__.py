"""Electricity contracts for the Kassel Service Point."""
