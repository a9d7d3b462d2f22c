"""How many requests a second are answered: for each tenant, and for each address of a network."""
