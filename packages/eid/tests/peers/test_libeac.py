"""PACE of the driver against libeac3, whose code nobody here wrote."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from servicepunkt.eid.card.access import security_infos
from servicepunkt.eid.card.card import Card
from servicepunkt.eid.errors import WrongSecretError
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.secret import Secret

HERE = Path(__file__).resolve().parent
VECTORS = json.loads((HERE.parent / "data" / "bsi_worked_example" / "ecdh.json").read_text("utf-8"))
CARD_ACCESS = bytes.fromhex(VECTORS["ef_cardaccess"])


def card(peer: ModuleType, kind: Secrets, secret: str) -> Card:
    made = Card(peer.Chip(CARD_ACCESS, kind, secret))
    made._infos = security_infos(CARD_ACCESS)
    return made


#: The three lines of an ID card, as the library wants them; of these the secret is made.
ZONE = "IDD<<T220001293<<<<<<<<<<<<<<<6408125<1010318D<<<<<<<<<<<<<4MUSTERMANN<<ERIKA<<<<<<<<<<<<<"


@pytest.mark.parametrize(
    ("kind", "secret", "held"),
    [
        (Secrets.PIN, "123456", "123456"),
        (Secrets.CAN, "500540", "500540"),
        (Secrets.PUK, "9876543210", "9876543210"),
        (Secrets.MRZ, "T22000129364081251010318", ZONE),
    ],
)
def test_a_channel_is_opened(peer: ModuleType, kind: Secrets, secret: str, held: str) -> None:
    with card(peer, kind, held) as found:
        channel = found.open(kind, Secret(secret))
        assert len(channel.id_picc) == 32


def test_another_pin_opens_nothing(peer: ModuleType) -> None:
    with card(peer, Secrets.PIN, "123456") as found, pytest.raises(WrongSecretError):
        found.open(Secrets.PIN, Secret("123457"))
