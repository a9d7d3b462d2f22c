"""SMS by a modem with a SIM card: AT commands (3GPP TS 27.005) in PDU mode (3GPP TS 23.040)."""
