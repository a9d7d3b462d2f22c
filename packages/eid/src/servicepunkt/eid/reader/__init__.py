"""Readers: what they can do, cards that come and go, and words for what goes wrong."""
