"""Advice on e-mobility for the Kassel Service Point."""
