"""An authority of this machine's own, and a certificate by it for the loopback addresses.

For one machine and its operator. What others are to trust comes from an authority that they know,
and stands on a balancer of theirs.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leadline.ops.topology.tls import Tls

_AUTHORITY_DAYS: Final = 3650
_SERVER_DAYS: Final = 397
_RENEW_DAYS: Final = 30
_NAMES: Final = ("localhost",)
_ADDRESSES: Final = ("127.0.0.1", "::1")


def ensure_tls(folder: Path, *, now: float) -> Tls:
    """Return the files in `folder`, made or renewed where needed; keys are readable by their owner alone.

    A certificate that ends within a month of `now` (Unix time) is made anew by the same authority.
    """
    files = Tls(ca=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key")
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    if not files.ca.exists():
        _make_authority(folder, moment)
    elif files.certificate.exists():
        made = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        if made.not_valid_after_utc - moment > datetime.timedelta(days=_RENEW_DAYS):
            return files
    _make_server(folder, files, moment)
    return files


def _make_authority(folder: Path, now: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Leadline on this machine")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(name, name, key.public_key())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / "ca.key", _private(key), 0o600)
    _write(folder / "ca.pem", _pem(made), 0o644)


def _make_server(folder: Path, files: Tls, now: datetime.datetime) -> None:
    authority = x509.load_pem_x509_certificate(files.ca.read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 it was written by `_make_authority`
    key = ec.generate_private_key(ec.SECP256R1())
    known = [
        *(x509.DNSName(name) for name in _NAMES),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES),
    ]
    made = (
        _builder(_name(_NAMES[0]), authority.subject, key.public_key())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_SERVER_DAYS))
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(files.key, _private(key), 0o600)
    _write(files.certificate, _pem(made) + _pem(authority), 0o644)


def _builder(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    return made.serial_number(x509.random_serial_number())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
