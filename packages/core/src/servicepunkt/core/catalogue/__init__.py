"""The catalogue: themes, partners, services, and what can be done about them at which point."""
