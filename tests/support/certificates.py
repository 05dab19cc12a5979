"""Certificates for tests: an authority of our own, made anew each time."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_BEGIN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_END = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Certificates:
    """An authority whose files lie in `folder`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    authority: x509.Certificate

    @classmethod
    def create(cls, folder: Path) -> Certificates:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("An authority for tests")
        authority = (
            _builder(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        return cls(folder, key, authority)

    @property
    def file(self) -> Path:
        """Return the file with the authority's certificate."""
        return self.folder / "ca.pem"

    def pair(self, host: str, *, name: str = "", end: datetime.datetime = _END) -> Path:
        """Return a file with the private key and the certificate of `host`, a name or an address; it is valid to `end`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(host), self.authority.subject, key, end=end)
            .add_extension(x509.SubjectAlternativeName([_host(host)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"{name or host}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, host: str) -> ssl.SSLContext:
        """Return the server's side for `host`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pair(host))
        return context

    def client(self) -> ssl.SSLContext:
        """Return the side of a client that trusts the authority."""
        return ssl.create_default_context(cafile=str(self.file))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, end: datetime.datetime = _END
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(end)
    )
