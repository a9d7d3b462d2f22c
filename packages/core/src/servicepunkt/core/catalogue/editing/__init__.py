"""What editors write: single values of services, from a draft to what is in force above all other sources."""
