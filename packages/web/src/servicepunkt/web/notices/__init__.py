"""Notices over the web: receipts that providers post, and what staff see of messages that did not arrive."""
