"""Short message centres by SMPP 3.4 (Short Message Peer to Peer Protocol Specification v3.4, Issue 1.2)."""
