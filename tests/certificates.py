"""Certificates made on the fly: an authority, and what it signs, right or wrong in one way."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey


class Authority:
    """Signs certificates; its own stands in `file`. A server's context is given ready to listen with."""

    def __init__(self, home: Path, name: str = "An authority of the tests") -> None:
        self._home = home
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._made = 0
        self.certificate = _certificate(self._name, self._name, self._key, self._key, authority=True)
        self.file = self._written(name.replace(" ", "-"), self.certificate)

    def server(self, host: str = "127.0.0.1", *, until: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """A server's context with a certificate for a host, signed by this authority, that ends then."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._context(_certificate(_name(host), self._name, key, self._key, host=host, until=until), key)

    def self_signed(self, host: str = "127.0.0.1") -> ssl.SSLContext:
        """A server's context with a certificate that nobody but itself signed."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._context(_certificate(_name(host), _name(host), key, key, host=host), key)

    def _context(self, certificate: x509.Certificate, key: Key) -> ssl.SSLContext:
        self._made += 1
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._written(f"server-{self._made}", certificate, key))
        return context

    def _written(self, name: str, certificate: x509.Certificate, key: Key | None = None) -> Path:
        file = self._home / f"{name}.pem"
        content = certificate.public_bytes(serialization.Encoding.PEM)
        if key is not None:
            content += key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        file.write_bytes(content)
        return file


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    signing: Key,
    *,
    host: str | None = None,
    authority: bool = False,
    until: timedelta = timedelta(days=1),
) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        # Python asks for these from 3.13 on, for the last two of authorities alone.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_uses(authority=authority), critical=True)
    )
    if host is not None:
        made = made.add_extension(x509.SubjectAlternativeName([_host(host)]), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return made.sign(signing, hashes.SHA256())


def _uses(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
