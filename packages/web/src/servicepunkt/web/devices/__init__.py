"""Devices: terminals and boxes, enrolled with a one-time code, known by a token, switched off with one click."""
