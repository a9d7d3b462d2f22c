"""Sign-in with accounts that a city keeps elsewhere: OpenID Connect, one provider for each tenant."""
