"""The authority of this machine and its certificates."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from cryptography import x509

from leadline.ops.topology.certificates import ensure_tls

NOW = 1_800_000_000.0
DAY = 86_400.0


def test_a_certificate_stands_until_a_month_before_its_end(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path, now=NOW)
    first = (files.ca.read_bytes(), files.certificate.read_bytes())
    assert (files.ca.read_bytes(), ensure_tls(tmp_path, now=NOW + 300 * DAY).certificate.read_bytes()) == first
    later = ensure_tls(tmp_path, now=NOW + 380 * DAY)
    assert later.certificate.read_bytes() != first[1]
    assert later.ca.read_bytes() == first[0]


def test_keys_are_their_owners_alone_and_names_are_the_loopbacks(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path, now=NOW)
    for key in (files.key, tmp_path / "ca.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    made = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
