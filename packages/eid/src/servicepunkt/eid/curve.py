"""Points of the elliptic curves of BSI TR-03110-3 §A.2.1.1: what PACE needs, and no library offers.

`cryptography` multiplies only the standard generator and gives back only x; the generic mapping of PACE needs the sum
of points and a generator of its own. **These calculations do not take the same time for every key.** They serve tests,
staff readers and the PIN service, where whoever could measure them holds the card or types the PIN; they never stand
in place of a certified eID server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from servicepunkt.eid.errors import CryptoError

#: x and y.
Point = tuple[int, int]
#: Homogeneous: X/Z², Y/Z³; Z = 0 is the point at infinity.
_Jacobian = tuple[int, int, int]
_INFINITY: _Jacobian = (0, 1, 0)


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """y² = x³ + ax + b over a prime field, with a generator of prime order n and cofactor 1.

    `parameter_id`: number of the standardized domain parameters (TR-03110-3 table 4).
    """

    name: str
    parameter_id: int
    p: int
    a: int
    b: int
    n: int
    generator: Point

    @property
    def size(self) -> int:
        """Bytes of a coordinate."""
        return (self.p.bit_length() + 7) // 8

    def holds(self, point: Point) -> bool:
        x, y = point
        return 0 <= x < self.p and 0 <= y < self.p and (y * y - x * x * x - self.a * x - self.b) % self.p == 0

    def encode(self, point: Point) -> bytes:
        """Uncompressed (TR-03111 §3.2.1): 04, x, y."""
        return b"\x04" + b"".join(one.to_bytes(self.size, "big") for one in point)

    def decode(self, data: bytes) -> Point:
        """Raises CryptoError for anything but an uncompressed point of this curve."""
        if len(data) != 1 + 2 * self.size or data[0] != 4:
            raise CryptoError(what="point", why="not uncompressed, or of another curve")
        point = int.from_bytes(data[1 : 1 + self.size], "big"), int.from_bytes(data[1 + self.size :], "big")
        if not self.holds(point):
            raise CryptoError(what="point", why="not on the curve")
        return point

    def scalar(self, randomness: Callable[[int], bytes]) -> int:
        """A secret key from 1 to n - 1; 64 bits more than needed keep it even (TR-03111 §4.1.1)."""
        return int.from_bytes(randomness(self.size + 8), "big") % (self.n - 1) + 1

    def multiply(self, factor: int, point: Point | None = None) -> Point:
        """`factor` times a point, the generator without one. Raises CryptoError where that is infinity."""
        start = point or self.generator
        result: _Jacobian = _INFINITY
        for bit in f"{factor % self.n:b}":
            result = self._double(result)
            if bit == "1":
                result = self._add(result, (*start, 1))
        return self._affine(result)

    def add(self, one: Point, other: Point) -> Point:
        """Raises CryptoError where the sum is infinity."""
        return self._affine(self._add((*one, 1), (*other, 1)))

    def _affine(self, point: _Jacobian) -> Point:
        x, y, z = point
        if not z:
            raise CryptoError(what="point", why="at infinity")
        inverse = pow(z, -1, self.p)
        return x * inverse * inverse % self.p, y * inverse * inverse * inverse % self.p

    def _double(self, point: _Jacobian) -> _Jacobian:
        x, y, z = point
        if not z or not y:
            return _INFINITY
        p = self.p
        yy = y * y % p
        s = 4 * x * yy % p
        m = (3 * x * x + self.a * pow(z, 4, p)) % p
        doubled = (m * m - 2 * s) % p
        return doubled, (m * (s - doubled) - 8 * yy * yy) % p, 2 * y * z % p

    def _add(self, one: _Jacobian, other: _Jacobian) -> _Jacobian:
        x1, y1, z1 = one
        x2, y2, z2 = other
        if not z1:
            return other
        if not z2:
            return one
        p = self.p
        z1z1, z2z2 = z1 * z1 % p, z2 * z2 % p
        u1, u2 = x1 * z2z2 % p, x2 * z1z1 % p
        s1, s2 = y1 * z2 * z2z2 % p, y2 * z1 * z1z1 % p
        if u1 == u2:
            return self._double(one) if s1 == s2 else _INFINITY
        h, r = (u2 - u1) % p, (s2 - s1) % p
        hh = h * h % p
        hhh, v = h * hh % p, u1 * hh % p
        x = (r * r - hhh - 2 * v) % p
        return x, (r * (v - x) - s1 * hhh) % p, h * z1 * z2 % p


_CURVES = (
    Curve(
        name="brainpoolP256r1",
        parameter_id=13,
        p=0xA9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377,
        a=0x7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9,
        b=0x26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6,
        n=0xA9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7,
        generator=(
            0x8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262,
            0x547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997,
        ),
    ),
    Curve(
        name="brainpoolP384r1",
        parameter_id=16,
        p=0x8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B412B1DA197FB71123ACD3A729901D1A71874700133107EC53,
        a=0x7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787139165EFBA91F90F8AA5814A503AD4EB04A8C7DD22CE2826,
        b=0x04A8C7DD22CE28268B39B55416F0447C2FB77DE107DCD2A62E880EA53EEB62D57CB4390295DBC9943AB78696FA504C11,
        n=0x8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565,
        generator=(
            0x1D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E,
            0x8ABE1D7520F9C2A45CB1EB8E95CFD55262B70B29FEEC5864E19C054FF99129280E4646217791811142820341263C5315,
        ),
    ),
    Curve(
        name="brainpoolP512r1",
        parameter_id=17,
        p=int(
            "AADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA703308717D4D9B009BC66842AECDA12A"
            "E6A380E62881FF2F2D82C68528AA6056583A48F3",
            16,
        ),
        a=int(
            "7830A3318B603B89E2327145AC234CC594CBDD8D3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C9"
            "8B9AC8B57F1117A72BF2C7B9E7C1AC4D77FC94CA",
            16,
        ),
        b=int(
            "3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A72BF2C7B9E7C1AC4D77FC94CA"
            "DC083E67984050B75EBAE5DD2809BD638016F723",
            16,
        ),
        n=int(
            "AADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA70330870553E5C414CA9261941866119"
            "7FAC10471DB1D381085DDADDB58796829CA90069",
            16,
        ),
        generator=(
            int(
                "81AEE4BDD82ED9645A21322E9C4C6A9385ED9F70B5D916C1B43B62EEF4D0098EFF3B1F78E2D0D48D50D1687B"
                "93B97D5F7C6D5047406A5E688B352209BCB9F822",
                16,
            ),
            int(
                "7DDE385D566332ECC0EABFA9CF7822FDF209F70024A57B1AA000C55B881F8111B2DCDE494A5F485E5BCA4BD8"
                "8A2763AED1CA2B2FA8F0540678CD1E0F3AD80892",
                16,
            ),
        ),
    ),
    Curve(
        name="secp256r1",
        parameter_id=12,
        p=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        a=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC,
        b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        generator=(
            0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
            0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        ),
    ),
    Curve(
        name="secp384r1",
        parameter_id=15,
        p=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
        a=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFC,
        b=0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        generator=(
            0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
            0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        ),
    ),
    Curve(
        name="secp521r1",
        parameter_id=18,
        p=int(
            "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            16,
        ),
        a=int(
            "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC",
            16,
        ),
        b=int(
            "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652"
            "C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00",
            16,
        ),
        n=int(
            "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC"
            "0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
            16,
        ),
        generator=(
            int(
                "00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1D"
                "C127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66",
                16,
            ),
            int(
                "011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550"
                "B9013FAD0761353C7086A272C24088BE94769FD16650",
                16,
            ),
        ),
    ),
)
#: By the number of the standardized domain parameters.
BY_PARAMETER: Mapping[int, Curve] = {curve.parameter_id: curve for curve in _CURVES}
BY_NAME: Mapping[str, Curve] = {curve.name: curve for curve in _CURVES}
#: The curve of every German ID card that was issued so far.
BRAINPOOL_P256 = BY_NAME["brainpoolP256r1"]
