"""The client of an eID service (BSI TR-03130): a town never holds the terminal's key, it asks a service that does.

`model` says what is asked and answered, `soap` how it is written and signed, `client` sends it.
"""
