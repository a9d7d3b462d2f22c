"""Tenants: the context that every use case receives, and the directory that resolves it."""
