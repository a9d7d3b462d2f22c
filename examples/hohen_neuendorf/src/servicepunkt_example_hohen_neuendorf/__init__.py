"""Hohen Neuendorf as a tenant: the small-town example. Its files stand below `tenant/`."""
