"""What is remembered of a browser while somebody proves who they are elsewhere: at a provider, with a passkey."""
