"""A database's address: what is shown, and how its TLS is understood."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from tests.support.certificates import Certificates

from leadline.errors import SettingsError
from leadline.tasks.postgres.address import Address, name_of

SECRET = "postgresql://app:s3cret@db.example:5433/runs?sslmode=disable&application_name=x"


async def test_a_name_holds_neither_user_nor_password_nor_options() -> None:
    address = await Address.read(SECRET)
    assert address.name == name_of(SECRET) == "`postgresql://db.example:5433/runs`"
    assert "s3cret" not in repr(address)
    assert (address.url, address.tls) == (SECRET, None)


@pytest.mark.parametrize(
    ("mode", "host", "verify"),
    [
        ("verify-full", True, ssl.CERT_REQUIRED),
        ("verify-ca", False, ssl.CERT_REQUIRED),
        ("require", False, ssl.CERT_REQUIRED),  # an authority is named: it is held against it
    ],
)
async def test_modes_that_check_are_made_ready(tmp_path: Path, mode: str, host: bool, verify: ssl.VerifyMode) -> None:
    Certificates.create(tmp_path)
    url = f"postgresql://u@h/d?sslmode={mode}&sslrootcert={tmp_path / 'ca.pem'}&target_session_attrs=read-write"
    address = await Address.read(url)
    assert address.tls is not None
    assert (address.tls.check_hostname, address.tls.verify_mode) == (host, verify)
    assert address.url == "postgresql://u@h/d?target_session_attrs=read-write"
    assert address.arguments()["ssl"] is address.tls


async def test_require_alone_only_encrypts() -> None:
    address = await Address.read("postgresql://u@h/d?sslmode=require")
    assert address.tls is not None
    assert address.tls.verify_mode == ssl.CERT_NONE


async def test_certificates_that_are_not_there_are_told() -> None:
    with pytest.raises(SettingsError, match=r"certificates of `postgresql://h/d` cannot be used"):
        await Address.read("postgresql://u:pw@h/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem")
