"""Identifications at the centre: what a door was asked for, how far it is, and what came of it, for minutes."""
