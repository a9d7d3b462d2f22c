"""The card controller: the local pages at a terminal that lead a person through the online ID."""
