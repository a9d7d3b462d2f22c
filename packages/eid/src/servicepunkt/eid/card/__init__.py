"""The protocol of the German ID card (BSI TR-03110): status, PACE, secure messaging, authentication, PIN management.

Every step is a *conversation*: a generator that yields commands and is sent the card's answers, so that the same code
talks to a reader, to a simulated card and to a vector of a standard. `Card` runs conversations over a transport.
"""
