"""A member's certificate names its host alone and vouches for nobody, or it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from diversite import certificates, keys
from diversite.errors import TopologyError
from diversite.keys import HostHalves
from lab.selfsigned import made
from tests.diversite.test_keys import MADE_AT, hosts_of, whole
from tests.services.venues import passive

LON = "store-ledger-lon"
THERE = passive().hosts[LON].address
OWN = (x509.DNSName(LON), x509.DNSName(str(THERE)), x509.IPAddress(THERE))
NOW = datetime.now(UTC)


def told(certificate: str | None, following: str | None = None) -> HostHalves:
    """What a member of the store tells: its certificate in use, and the next one."""
    return HostHalves(venue=passive().venue, host=LON, made_at=MADE_AT, certificate=certificate, next=following)


def new(name: str = LON, address: IPv4Address | None = None) -> str:
    """A certificate with a key of its own."""
    return made(name, address or passive().hosts[LON].address)[1]


def test_every_member_is_in_the_file() -> None:
    """Whoever keeps state has a certificate, and nobody else."""
    venue = passive()
    roles = {venue.hosts[name].role for name in whole(venue).certificates}
    assert roles == {"store", "queue", "passive"}
    assert list(whole(venue).certificates) == certificates.members(venue)


def test_a_member_without_a_certificate_is_missing() -> None:
    """The file is not written before all have told theirs."""
    hosts = hosts_of(passive())
    del hosts[LON]
    with pytest.raises(TopologyError, match=rf"certificates\.{LON}: is missing"):
        keys.joined(passive(), hosts.values(), None)


@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        (new("store-ledger-fra"), "of CN=store-ledger-fra"),
        (new(address=IPv4Address("10.1.2.3")), "it must be of this host at"),
        (new().replace("MII", "MIJ", 1), "none that a host makes"),
    ],
)
def test_a_certificate_of_another_is_refused(certificate: str, says: str) -> None:
    """Another host's name, another address, and what is no certificate."""
    assert [says in problem for problem in certificates.problems_of(passive().hosts[LON], certificate)] == [True]


def test_an_authority_is_refused() -> None:
    """A host that could vouch for others could be any of them."""
    (problem,) = certificates.problems_of(passive().hosts[LON], _signed(is_authority=True))
    assert "vouch for others" in problem


@pytest.mark.parametrize(
    "extra",
    [
        x509.RFC822Name("passive-matching-fra"),  # NATS asks for the user of an e-mail address first
        x509.UniformResourceIdentifier("spiffe://venue/passive-matching-fra"),
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "passive-matching-fra")])),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
        x509.OtherName(x509.ObjectIdentifier("1.2.3.4"), b"\x0c\x01x"),
        x509.DNSName("passive-matching-fra"),
    ],
    ids=lambda extra: type(extra).__name__,
)
def test_a_further_name_is_refused(extra: x509.GeneralName) -> None:
    """Whatever its kind, before the host's own names or after them."""
    for names in ((extra, *OWN), (*OWN, extra)):
        (problem,) = certificates.problems_of(passive().hosts[LON], _signed(names))
        assert "it must be of this host at" in problem


def test_the_hosts_own_names_are_all_that_it_may_have() -> None:
    """So what refuses the others is the further name."""
    assert list(certificates.problems_of(passive().hosts[LON], _signed())) == []


def test_a_changed_certificate_is_refused_until_it_is_meant() -> None:
    """As with every key: a change by itself is a disk that was lost, or another host."""
    with pytest.raises(TopologyError, match="--replace store-ledger-lon"):
        keys.joined(passive(), [told(new())], whole(passive()))


def test_the_next_certificate_is_believed_beside_the_one_in_use() -> None:
    """Nobody is refused while a key changes; the old one goes once the host tells that the new one is in use."""
    before, newer = whole(passive()), new()
    (old,) = before.certificates[LON]
    both = keys.joined(passive(), [told(old, newer)], before, [LON])
    assert both.certificates[LON] == (old, newer)
    assert keys.loads(keys.dumps(both)) == both
    assert keys.joined(passive(), [told(newer)], both, [LON]).certificates[LON] == (newer,)


def test_what_is_told_again_changes_nothing() -> None:
    """However often a step is taken, the certificate in use is believed."""
    before = whole(passive())
    (old,) = before.certificates[LON]
    again = told(old, new())
    both = keys.joined(passive(), [again], before, [LON])
    assert keys.joined(passive(), [again], both) == both
    with pytest.raises(TopologyError, match="tells no key that differs"):
        keys.joined(passive(), [again], both, [LON])
    other = keys.joined(passive(), [told(old, new())], both, [LON])
    assert other.certificates[LON][0] == old


def test_the_next_certificate_is_as_strictly_read() -> None:
    """It names the host alone, is another than the one in use, and comes beside one."""
    (old,) = whole(passive()).certificates[LON]
    for each, says in (
        (told(old, new("store-ledger-fra")), "of CN=store-ledger-fra"),
        (told(old, old), "are the same key"),
        (told(None, new()), "tells not what a store tells"),
    ):
        with pytest.raises(TopologyError, match=says):
            keys.joined(passive(), [each], whole(passive()), [LON])


def _signed(names: Sequence[x509.GeneralName] = OWN, *, is_authority: bool = False) -> str:
    """Of the store's host at London, with these names."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LON)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
