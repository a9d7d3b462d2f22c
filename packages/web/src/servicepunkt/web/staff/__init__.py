"""The pages of those who work here: sign-in, overview, help calls, devices, the own account."""
