"""The accounts of one person at other tenants, as that person sees them, and the way over there."""
