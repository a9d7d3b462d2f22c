"""A desk to try everything at without a card: an AusweisApp with an ID card that is laid on and taken away in a
browser, and the eID service behind it. For the demonstration and for tests; whoever identifies is the test person."""
