"""The driver against the vectors of ICAO and BSI: the same randomness gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servicepunkt.eid.card.access import ChipKey, security_infos
from servicepunkt.eid.card.apdu import Answer, Command
from servicepunkt.eid.card.card import Card
from servicepunkt.eid.card.chip import authenticate_chip
from servicepunkt.eid.card.messaging import SecureMessaging, checksum, derive
from servicepunkt.eid.card.pace import mrz_secret, pace, token
from servicepunkt.eid.curve import BRAINPOOL_P256 as CURVE
from servicepunkt.eid.errors import CryptoError
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.tlv import tlv

DATA = Path(__file__).resolve().parents[1] / "data"
ICAO = json.loads((DATA / "icao9303" / "pace_ecdh_gm_aes128_G1.json").read_text("utf-8"))
BSI = {
    name: bytes.fromhex(value)
    for name, value in json.loads((DATA / "bsi_worked_example" / "ecdh.json").read_text("utf-8")).items()
}


def keys(*numbers: bytes | str) -> Callable[[int], bytes]:
    """Randomness from which these secret keys are made."""
    plain = [bytes.fromhex(one) if isinstance(one, str) else one for one in numbers]
    left: Iterator[int] = (int.from_bytes(one, "big") for one in plain)
    return lambda count: (next(left) - 1).to_bytes(count, "big")


class Script:
    """A card that knows one conversation by heart."""

    def __init__(self, lines: list[tuple[bytes, bytes]]) -> None:
        self.lines = lines

    def transmit(self, command: bytes) -> bytes:
        expected, answer = self.lines.pop(0)
        assert command.hex() == expected.hex()
        return answer

    def close(self) -> None:
        pass


def test_pace_and_the_first_command_of_the_icao() -> None:
    [info] = security_infos(bytes.fromhex(ICAO["ef_cardaccess"])).pace
    lines = [(bytes.fromhex(said), bytes.fromhex(heard)) for said, heard in ICAO["apdus"]]
    # The example writes MSE:Set AT for the MRZ with the parameters' number, as we do.
    assert lines[0][0].hex().endswith("84010d")
    first = ICAO["sm_first_select"]
    lines.append((bytes.fromhex(first["cmd"]), bytes.fromhex(first["rsp"])))
    card = Card(Script(lines), randomness=keys(ICAO["sk_map_ifd"], ICAO["sk_dh_ifd"]))
    card._infos = security_infos(bytes.fromhex(ICAO["ef_cardaccess"]))
    number, birth, expiry = ICAO["mrz"]
    channel = card.open(Secrets.MRZ, mrz_secret(number, birth, expiry))
    assert channel.id_picc.hex().upper() == ICAO["pk_dh_ic"][2:66]
    assert info.curve is CURVE
    selected = card._said(Command(0x00, 0xA4, 0x04, 0x0C, bytes.fromhex("A0000002471001")))
    assert selected == Answer(b"", 0x9000)
    assert lines == []


def test_the_zone_with_its_check_digits() -> None:
    assert mrz_secret("T22000129", "640812", "101031").reveal() == ICAO["mrz_information"].encode()


def test_pace_of_the_bsi() -> None:
    [protocol] = security_infos(BSI["ef_cardaccess"]).pace
    talk = pace(protocol, Secrets.PIN, Secret("123456"), keys(BSI["map_pcd_priv_key"], BSI["pcd_priv_key"]))
    said = [next(talk)]
    said.append(talk.send(Answer(b"", 0x9000)))
    said.append(talk.send(Answer(tlv(0x7C, tlv(0x80, BSI["nonce_enc"])), 0x9000)))
    said.append(talk.send(Answer(tlv(0x7C, tlv(0x82, BSI["map_picc_pub_key"])), 0x9000)))
    said.append(talk.send(Answer(tlv(0x7C, tlv(0x84, BSI["picc_pub_key"])), 0x9000)))
    assert said[2].data == tlv(0x7C, tlv(0x81, BSI["map_pcd_pub_key"]))
    assert said[3].data == tlv(0x7C, tlv(0x83, BSI["pcd_pub_key"]))
    assert said[4].data == tlv(0x7C, tlv(0x85, BSI["authentication_token_pcd"]))
    assert [one.cla for one in said[1:]] == [0x10, 0x10, 0x10, 0x00]
    with pytest.raises(StopIteration) as done:
        talk.send(Answer(tlv(0x7C, tlv(0x86, BSI["authentication_token_picc"]), BSI["d1"][:0]), 0x9000))
    assert done.value.value.id_picc == BSI["picc_pub_key"][1:33]


def test_a_token_that_is_not_the_cards_is_refused() -> None:
    [protocol] = security_infos(BSI["ef_cardaccess"]).pace
    talk = pace(protocol, Secrets.PIN, Secret("123456"), keys(BSI["map_pcd_priv_key"], BSI["pcd_priv_key"]))
    next(talk)
    talk.send(Answer(b"", 0x9000))
    talk.send(Answer(tlv(0x7C, tlv(0x80, BSI["nonce_enc"])), 0x9000))
    talk.send(Answer(tlv(0x7C, tlv(0x82, BSI["map_picc_pub_key"])), 0x9000))
    talk.send(Answer(tlv(0x7C, tlv(0x84, BSI["picc_pub_key"])), 0x9000))
    with pytest.raises(CryptoError, match="token"):
        talk.send(Answer(tlv(0x7C, tlv(0x86, BSI["authentication_token_pcd"])), 0x9000))


def test_keys_of_the_bsi() -> None:
    assert derive(BSI["shared_secret_k"], 1) == BSI["k_enc"]
    assert derive(BSI["shared_secret_k"], 2) == BSI["k_mac"]
    assert derive(BSI["ca_shared_secret_k"], 1, nonce=BSI["ca_nonce"]) == BSI["ca_k_enc"]
    assert derive(BSI["ca_shared_secret_k"], 2, nonce=BSI["ca_nonce"]) == BSI["ca_k_mac"]


def test_chip_authentication_of_the_bsi() -> None:
    infos = security_infos(BSI["ef_cardaccess"])
    protocol = infos.chip[0]
    key = ChipKey(CURVE, BSI["ca_picc_pub_key"], protocol.key_id)
    talk = authenticate_chip(protocol, key, int.from_bytes(BSI["ca_pcd_priv_key"], "big"))
    next(talk)
    agreed = talk.send(Answer(b"", 0x9000))
    assert agreed.data == tlv(0x7C, tlv(0x80, BSI["ca_pcd_pub_key"]))
    with pytest.raises(StopIteration) as done:
        talk.send(Answer(tlv(0x7C, tlv(0x81, BSI["ca_nonce"]), tlv(0x82, BSI["ca_picc_token"])), 0x9000))
    assert isinstance(done.value.value, SecureMessaging)
    assert token(BSI["ca_k_mac"], protocol.oid, BSI["ca_pcd_pub_key"]) == BSI["ca_picc_token"]


def test_the_first_command_of_the_bsi() -> None:
    """MSE:Set DST of terminal authentication, under the keys of PACE."""
    channel = SecureMessaging(BSI["k_enc"], BSI["k_mac"])
    wrapped = channel.wrap(Command(0x00, 0x22, 0x81, 0xB6, BSI["d1"]))
    assert BSI["e1"] in wrapped.data
    assert checksum(BSI["k_mac"], b"") != BSI["a1"]
    answered = channel.unwrap(Answer(BSI["ad1"] + tlv(0x8E, BSI["a1"]), 0x9000))
    assert answered == Answer(b"", 0x9000)
