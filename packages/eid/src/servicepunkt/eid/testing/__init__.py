"""What tests and practice need of the online ID: a virtual card, the certificates around it, small servers, a scripted
AusweisApp, and somebody in front of the screen. Public, for authors of plugins, too.

Written apart from the drivers that it tests: it shares with them the encoding (`tlv`, `cvc`, `rights`, `groups`) and
the points of curves, and nothing of the protocols. **Nothing in here keeps a secret**: keys are made for a test and
are thrown away.
"""
