"""Backups: of the whole server to any moment, of one tenant alone, and the proof that they can be brought back."""
