"""How many people came into a house, by day and hour, as its host counts them."""
