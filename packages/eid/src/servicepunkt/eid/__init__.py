"""The German online ID card and the European wallet: clients, card protocol, services and verifiers."""
