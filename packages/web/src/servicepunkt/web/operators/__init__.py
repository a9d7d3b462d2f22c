"""The console of the platform's operators, and the consents by which a city lets one of them in."""
