"""Notices: a message to a person is a row with a state before anything is sent."""
