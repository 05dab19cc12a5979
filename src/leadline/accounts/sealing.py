"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) with keys of the operator's, the newest first."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadline.errors import SecretUnreadable, SettingsError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_HOW: Final = "set `LEADLINE_SECRETS__KEY` to 32 random bytes in base64, made for example by: openssl rand -base64 32"


class Sealed(NamedTuple):
    """An encrypted secret: the id of the key that opens it, then nonce, ciphertext and tag."""

    key_id: str
    body: bytes


class Sealer:
    """Encrypts with the first key, decrypts with any: the others are those that were first before.

    What a secret is bound to (purpose, tenant, name) is authenticated with it: moved to another
    row, it does not open. Nonces are random, good for 2^32 secrets a key.
    """

    def __init__(self, key: str | None, *, old: Sequence[str] = ()) -> None:
        """Take keys in base64 (either alphabet). Raises `SettingsError` for one that is not 32 bytes long.

        Without `key` nothing is encrypted; what `old` encrypted still opens.
        """
        first = None if key is None else _raw(key)
        raw = [*([] if first is None else [first]), *map(_raw, old)]
        self._keys = {_id_of(one): AESGCM(one) for one in raw}
        self._first = None if first is None else _id_of(first)

    @property
    def key_id(self) -> str:
        """The id of the key that encrypts. Raises `SettingsError` where there is none."""
        if self._first is None:
            raise SettingsError(f"there is no key to encrypt secrets with; {_HOW}")
        return self._first

    def seal(self, value: str, *bound: str) -> Sealed:
        """Return the secret encrypted, bound to these words."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key_id = self.key_id
        return Sealed(key_id, nonce + self._keys[key_id].encrypt(nonce, value.encode(), _bound(bound)))

    def open(self, sealed: Sealed, *bound: str) -> str:
        """Return the secret. Raises `SecretUnreadable`."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise SecretUnreadable(
                f"a secret is encrypted with the key {sealed.key_id}, which is not set; "
                "add it to `LEADLINE_SECRETS__OLD_KEYS`"
            )
        nonce, body = sealed.body[:_NONCE_BYTES], sealed.body[_NONCE_BYTES:]
        try:
            return key.decrypt(nonce, body, _bound(bound)).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable("a stored secret was changed, or belongs elsewhere; set it again") from error


def _bound(words: Sequence[str]) -> bytes:
    """Return the words so that no other words give the same bytes."""
    parts = [word.encode() for word in ("leadline.secret/1", *words)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _id_of(key: bytes) -> str:
    return hashlib.blake2b(key, person=b"leadline.keyid/1", digest_size=4).hexdigest()


def _raw(text: str) -> bytes:
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise SettingsError(f"a key for secrets is not 32 bytes in base64; {_HOW}")
    return raw
