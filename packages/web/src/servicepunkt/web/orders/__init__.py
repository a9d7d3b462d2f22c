"""Orders at terminals and on the web: choose, look at it, order, pay at the counter; and the list of staff."""
