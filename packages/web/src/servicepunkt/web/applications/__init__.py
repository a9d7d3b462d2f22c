"""Applications at terminals and on the web: identify, fill in, look at it, submit it; and the list of staff."""
