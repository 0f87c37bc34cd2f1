"""Ed25519 keys: making a pair, reading them, signing and checking."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detector.errors import ConfigError, CustodyError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE_NAME = "detector-signing.key"
PUBLIC_NAME = "detector-signing.pub"
_LARGEST = 65_536


@dataclass(frozen=True)
class PublicKey:
    """The public half: 32 bytes, and the SHA-256 of these by which people call it."""

    raw: bytes

    @property
    def id(self) -> str:
        """The key's fingerprint, 64 hexadecimal digits."""
        return hashlib.sha256(self.raw).hexdigest()

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Return whether this key made `signature` of `message`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """The private half; its bytes are in no text that this object shows."""

    public: PublicKey
    _private: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature: always the same for the same message (RFC 8032)."""
        return self._private.sign(message)


@dataclass(frozen=True)
class NewKeys:
    """Where a new pair was written."""

    private: Path
    public: Path
    id: str


def new_pair(folder: Path) -> NewKeys:
    """Write a new pair into `folder`; the private file can be read by its owner alone.

    Raises:
        UsageError: there is a key already, or the folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private, public = folder / PRIVATE_NAME, folder / PUBLIC_NAME
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise UsageError("there is a key already, and it is not replaced", file=path, expected="another --out")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    shown = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_new(private, secret, 0o600)
        try:
            _write_new(public, shown, 0o644)
        except OSError:
            # Half a pair would keep the next attempt from making a whole one.
            with suppress(OSError):
                private.unlink()
            raise
    except OSError as error:
        raise UsageError(f"the key cannot be written: {error.strerror}", file=folder) from error
    return NewKeys(private, public, _public(key).id)


def read_private(path: Path) -> SigningKey:
    """Return the signing key in a PEM file.

    Raises:
        ConfigError: there is none, or it is of another kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError("is not a private key", file=path, expected=_EXPECTED_PRIVATE) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("is a key of another kind", file=path, expected=_EXPECTED_PRIVATE)
    return SigningKey(_public(key), key)


def read_public(path: Path) -> PublicKey:
    """Return the public key in a PEM file.

    Raises:
        ConfigError: there is none, or it is of another kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError("is not a public key", file=path, expected=_EXPECTED_PUBLIC) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError("is a key of another kind", file=path, expected=_EXPECTED_PUBLIC)
    return PublicKey(key.public_bytes_raw())


_EXPECTED_PRIVATE = "an unencrypted Ed25519 private key in PEM, as `detector keys new` makes"
_EXPECTED_PUBLIC = "an Ed25519 public key in PEM, as `detector keys new` makes"


def _public(key: Ed25519PrivateKey) -> PublicKey:
    return PublicKey(key.public_key().public_bytes_raw())


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_LARGEST)
    except OSError as error:
        raise ConfigError(f"the key cannot be read: {error.strerror}", file=path) from error


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that must not exist, with its mode from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        # The process's mask can only take rights away: a public key that nobody may read serves nobody.
        os.fchmod(stream.fileno(), mode)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def signer_key(public_key: str) -> PublicKey:
    """Return the public key that a manifest names.

    Raises:
        CustodyError: it is not hexadecimal.
    """
    try:
        return PublicKey(bytes.fromhex(public_key))
    except ValueError as error:
        raise CustodyError("the manifest's public key is not hexadecimal") from error
