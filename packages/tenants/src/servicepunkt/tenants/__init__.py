"""Tenant files, the application that serves every tenant, and the demonstration."""
