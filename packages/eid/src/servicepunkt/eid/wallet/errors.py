"""What the wallet's verifier refuses: SP43nn. What cannot be read at all is a MalformedError (SP4001).

No `details` hold a claim, a nonce or a key: they name the part that was wrong.
"""

from __future__ import annotations

from servicepunkt.eid.errors import EidError


class WalletError(EidError):
    """Base of what is refused of a wallet, of who issued its documents, and of a session."""

    code = "SP4300"
    sentence = "What the wallet sent was refused."


class AlgorithmError(WalletError):
    """An algorithm that is not on the list, `none` most of all, or one that does not fit its key."""

    code = "SP4301"
    sentence = "The wallet used a method that is not accepted."


class SignatureError(WalletError):
    """A signature or authentication code that does not fit; `what` says whose."""

    code = "SP4302"
    sentence = "A signature is wrong."


class DecryptionError(WalletError):
    """The answer was not encrypted for this session, or was changed on its way."""

    code = "SP4303"
    sentence = "The wallet's answer could not be decrypted."


class UntrustedError(WalletError):
    """No path of certificates leads from the issuer to an authority on the list; `why` says where it ends."""

    code = "SP4310"
    sentence = "The issuer of the document is not known here."


class OutdatedError(WalletError):
    """Expired, or not valid yet; `what` says what."""

    code = "SP4311"
    sentence = "The document is not valid at this time."


class RevokedError(WalletError):
    """The status list says that the document no longer counts; `status` is its number (1 invalid, 2 suspended)."""

    code = "SP4312"
    sentence = "The document was revoked."


class StatusError(WalletError):
    """Whether the document still counts could not be found out."""

    code = "SP4313"
    sentence = "It could not be checked whether the document was revoked."


class DigestError(WalletError):
    """A disclosed claim that the issuer did not sign, or that is there twice."""

    code = "SP4314"
    sentence = "The document was changed."


class BindingError(WalletError):
    """The wallet's proof is not for this request, or not by the holder's key; `what` says which part of it."""

    code = "SP4320"
    sentence = "The wallet did not show that the document is its own."


class AnswerError(WalletError):
    """Another document, or other claims, than were asked for."""

    code = "SP4321"
    sentence = "The wallet did not send what was asked for."


class DeclinedError(WalletError):
    """The wallet answered with an error; `error` is its code, `access_denied` where the person said no."""

    code = "SP4322"
    sentence = "The request was declined in the wallet."


class UnknownSessionError(WalletError):
    """No session has this address: it never was there, or it ended a while ago."""

    code = "SP4330"
    sentence = "There is no such request, or no longer."


class LateError(WalletError):
    code = "SP4331"
    sentence = "The request has expired."


class FetchedError(WalletError):
    """The code was scanned twice: one request is for one wallet."""

    code = "SP4332"
    sentence = "The code was already used by a wallet."


class AnsweredError(WalletError):
    """The answer came twice, or the result was already taken."""

    code = "SP4333"
    sentence = "The request was already answered."


class WrongStateError(WalletError):
    """The answer carries another request's `state`."""

    code = "SP4334"
    sentence = "The answer belongs to another request."


class OtherTerminalError(WalletError):
    code = "SP4335"
    sentence = "The request was started at another terminal."


class OutOfOrderError(WalletError):
    """A step that is not possible now; `step` and `phase` name them."""

    code = "SP4336"
    sentence = "This step is not possible now."


class TooManySessionsError(WalletError):
    code = "SP4337"
    sentence = "Too many requests are open at the same time."
