"""Ways to a person, one module a protocol: rehearsal telephone, mail, REST, SMPP, GSM modem."""

TIMEOUT_SECONDS = 10.0
