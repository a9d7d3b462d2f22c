"""Sessions of people who signed in: a row in the database, a random name for it in a cookie."""
