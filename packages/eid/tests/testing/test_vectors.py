"""The chip says what the published examples say: ICAO Doc 9303-11 appendix G.1, and the BSI's worked example."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servicepunkt.eid.curve import BRAINPOOL_P256 as CURVE
from servicepunkt.eid.cvc import Certificate, PublicKey, Trusted
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.rights import Chat, Right, Role
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.chip import Chip, Memory
from servicepunkt.eid.testing.chip.session import Stage
from servicepunkt.eid.testing.person import mrz_secret
from servicepunkt.eid.testing.terminal import EphemeralKey, Terminal
from servicepunkt.eid.tlv import need, tlv

DATA = Path(__file__).parent.parent / "data"
G1: dict[str, Any] = json.loads((DATA / "icao9303/pace_ecdh_gm_aes128_G1.json").read_text())
NUMBERS: dict[str, str] = json.loads((DATA / "bsi_worked_example/ecdh.json").read_text())
BSI = {name: bytes.fromhex(value) for name, value in NUMBERS.items()}
#: The chip's numbers of appendix G.1, which our file of it leaves out.
G1_MAPPING = 0x498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560
G1_AGREEMENT = 0x107CF58696EF6155053340FD633392BA81909DF7B9706F226F32086C7AFF974A


def scripted(*values: bytes | int) -> Callable[[int], bytes]:
    """Randomness as it was in an example; a number is a secret key, made by `Curve.scalar`."""
    waiting = list(values)

    def give(count: int) -> bytes:
        value = waiting.pop(0)
        found = value if isinstance(value, bytes) else (value - 1).to_bytes(CURVE.size + 8, "big")
        assert len(found) == count
        return found

    return give


def test_numbers_of_the_appendix_fit_together() -> None:
    assert CURVE.encode(CURVE.multiply(G1_MAPPING)).hex().upper() == G1["pk_map_ic"]
    generator = CURVE.decode(bytes.fromhex(G1["G_mapped"]))
    assert CURVE.encode(CURVE.multiply(G1_AGREEMENT, generator)).hex().upper() == G1["pk_dh_ic"]
    assert mrz_secret("T22000129", date(1964, 8, 12), date(2010, 10, 31)) == G1["mrz_information"]


def test_pace_of_icao_appendix_g1(pattern: Memory) -> None:
    memory = msgspec.structs.replace(pattern, mrz=Secret(G1["mrz_information"]))
    chip = Chip(memory, scripted(bytes.fromhex(G1["nonce_s"]), G1_MAPPING, G1_AGREEMENT))
    for command, wanted in G1["apdus"]:
        if command.startswith("0022"):
            command = command.replace("830102", "830101")
        assert chip.answer(bytes.fromhex(command)).hex().upper() == wanted
    assert chip.session.stage is Stage.CHANNEL
    # The first command under the keys of the appendix: a passport's application, which an ID card has not.
    answered = chip.answer(bytes.fromhex(G1["sm_first_select"]["cmd"]))
    assert answered[:4].hex() == "99026a82"


@pytest.fixture
def bsi_memory(pattern: Memory) -> Memory:
    dv = Certificate.parse(BSI["dv_cert"])
    anchor = Trusted(
        holder=dv.authority, key=PublicKey.parse(need(BSI["cvca_cert"], 0x7F21, 0x7F4E, 0x7F49)),
        chat=Chat(frozenset(Right), Role.CVCA), effective=dv.effective, expiration=dv.expiration,
    )  # fmt: skip
    return msgspec.structs.replace(
        pattern, pin=Secret("123456"), anchors=(anchor,), today=date(2010, 9, 1),
        card_security=BSI["ef_cardsecurity"], chip_key=int.from_bytes(BSI["ca_picc_priv_key"], "big"),
    )  # fmt: skip


def number(name: str) -> int:
    return int.from_bytes(BSI[name], "big")


def test_the_worked_example_from_pin_to_chip(bsi_memory: Memory) -> None:
    chip = Chip(bsi_memory, scripted(
        BSI["nonce"], number("map_picc_priv_key"), number("picc_priv_key"), BSI["ta_nonce"], BSI["ca_nonce"],
    ))  # fmt: skip
    answers: list[bytes] = []

    def transmit(command: bytes) -> bytes:
        answers.append(chip.answer(command))
        return answers[-1]

    terminal = Terminal(transmit, scripted(number("map_pcd_priv_key"), number("pcd_priv_key")))
    dv, certificate = (Certificate.parse(BSI[name]) for name in ("dv_cert", "ta_cert"))
    opened = terminal.pace(Secrets.PIN, "123456", certificate.chat)
    assert need(answers[1][:-2], 0x7C, 0x80) == BSI["nonce_enc"]
    assert need(answers[2][:-2], 0x7C, 0x82) == BSI["map_picc_pub_key"]
    assert need(answers[3][:-2], 0x7C, 0x84) == BSI["picc_pub_key"]
    assert need(answers[4][:-2], 0x7C, 0x86) == BSI["authentication_token_picc"]
    assert opened.anchors == ("DECVCAAT00001",)

    for one in (dv, certificate):
        terminal.need(0, 0x22, 0x81B6, tlv(0x83, one.authority.encode()))
        terminal.need(0, 0x2A, 0x00BE, one.inner)
    assert bsi_memory.today == date(2010, 9, 30)
    ephemeral = EphemeralKey(scripted(number("ca_pcd_priv_key")))
    assert ephemeral.public == BSI["ca_pcd_pub_key"]
    terminal.need(0, 0x22, 0x81A4, tlv(0x80, certificate.key.algorithm)
                  + tlv(0x83, certificate.holder.encode()) + tlv(0x91, ephemeral.compressed))  # fmt: skip
    assert terminal.need(0, 0x84, 0, expected=8) == BSI["ta_nonce"]
    terminal.need(0, 0x82, 0, BSI["ta_pcd_signature"])
    assert chip.session.stage is Stage.TERMINAL

    terminal.authenticate_chip(ephemeral)
    assert chip.session.stage is Stage.CHIP
    assert chip.session.rights == {Right.CAN_ALLOWED, Right.READ_1}
    terminal.need(0, 0xA4, 0x040C, bytes.fromhex("E80704007F00070302"))
    assert terminal.read_all(1) == bsi_memory.groups[1]


def test_the_signature_of_the_example_counts_for_its_challenge_alone(bsi_memory: Memory) -> None:
    chip = Chip(bsi_memory, scripted(
        BSI["nonce"], number("map_picc_priv_key"), number("picc_priv_key"), bytes(8),
    ))  # fmt: skip
    terminal = Terminal(chip.answer, scripted(number("map_pcd_priv_key"), number("pcd_priv_key")))
    dv, certificate = (Certificate.parse(BSI[name]) for name in ("dv_cert", "ta_cert"))
    terminal.pace(Secrets.PIN, "123456", certificate.chat)
    for one in (dv, certificate):
        terminal.need(0, 0x22, 0x81B6, tlv(0x83, one.authority.encode()))
        terminal.need(0, 0x2A, 0x00BE, one.inner)
    comp = BSI["ca_pcd_pub_key"][1:33]
    chosen = tlv(0x80, certificate.key.algorithm) + tlv(0x83, certificate.holder.encode()) + tlv(0x91, comp)
    terminal.need(0, 0x22, 0x81A4, chosen)
    terminal.need(0, 0x84, 0, expected=8)
    with pytest.raises(Exception, match="status 6300"):
        terminal.need(0, 0x82, 0, BSI["ta_pcd_signature"])
    assert chip.session.stage is Stage.CHANNEL
