"""The calendar of the spaces of a house: the city asks for a slot, the host may say no until it begins."""
