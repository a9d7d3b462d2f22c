"""The shell of Servicepunkt: page frame, assets, sessions, sign-in, devices, terminal behaviour, problem answers."""
