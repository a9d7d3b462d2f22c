"""The European wallet at a service point: a verifier for its PID by OpenID4VP 1.0, in both formats.

    verifier = Verifier(client=client, anchors=anchors, address="https://stadt.example/wallet")
    asked = Ask(required=("given_names", "family_names"))
    session = verifier.begin(asked, now=now, binding=terminal, random=token_bytes)

`session.qr` is what the terminal shows. mdoc needs the extra `[wallet]`; SD-JWT VC does without.
"""
