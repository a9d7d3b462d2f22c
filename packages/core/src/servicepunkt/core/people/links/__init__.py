"""Accounts of one person at several tenants, linked with that person's consent; and the switch between them."""
