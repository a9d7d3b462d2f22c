"""Formats in which catalogues are exchanged: each reads or writes one, and nothing else."""
