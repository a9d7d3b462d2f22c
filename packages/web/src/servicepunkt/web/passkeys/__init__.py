"""Passkeys: sign-in with what a person's device or security key keeps, in place of password and code (WebAuthn 2)."""
