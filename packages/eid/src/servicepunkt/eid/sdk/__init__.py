"""The AusweisApp as client: a typed conversation over its websocket, to identify somebody and to change a PIN."""
