"""People who work with the system: accounts, roles, sign-in."""
