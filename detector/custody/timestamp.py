"""RFC 3161 time stamps: what to ask an authority for, and whether what lies beside a bundle is its answer.

Reading and checking only; nothing here opens a connection (see `authority`).
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detector.errors import ConfigError, CustodyError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

SUFFIX = ".tsr"
"""Behind the whole name of the bundle."""

LARGEST_REPLY = 65_536
"""Bytes: a token with a chain of certificates has a few thousand."""

INSTALL = "pip install 'inversion-detector[timestamp]'"
_LARGEST_ROOTS = 4_000_000
_HASHES = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
_ROOTS_EXPECTED = "certificates of time-stamp authorities' roots in PEM"


@dataclass(frozen=True)
class Request:
    """What goes to the authority: DER, with the hash of the data and a number that its answer must repeat."""

    body: bytes
    nonce: int | None


@dataclass(frozen=True, eq=False)
class Roots:
    """Certificates that an authority's own must lead to, and the file that they come from."""

    file: Path
    certificates: tuple[Certificate, ...] = field(repr=False)


@dataclass(frozen=True)
class Token:
    """What a time stamp says; nobody has looked at its signature yet.

    Attributes:
        time: UTC.
        authority: subject of the certificate that the token names as its signer's, "" where it brings none.
        hash_name: of the imprint, as `hashlib` calls it; "" for one that is not accepted.
        imprint: hash of what was stamped.
        nonce: None where the token repeats none.
        raw: the whole answer, DER.
    """

    time: datetime
    authority: str
    hash_name: str
    imprint: bytes
    nonce: int | None
    raw: bytes = field(repr=False)

    def covers(self, data: bytes) -> bool:
        """Whether the imprint is that of `data`."""
        return bool(self.hash_name) and hashlib.new(self.hash_name, data).digest() == self.imprint


def require() -> None:
    """Find out whether time stamps can be handled.

    Raises:
        ConfigError: the library is not installed.
    """
    try:
        import rfc3161_client  # noqa: F401 - whether it is there
    except ImportError as error:
        raise ConfigError("time stamps need the package rfc3161-client", expected=INSTALL) from error


def request(data: bytes) -> Request:
    """Return what to ask for a time stamp of `data` (not empty)."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    made = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True)
    built = made.cert_request(cert_request=True).build()
    return Request(built.as_bytes(), built.nonce)


def read_roots(path: Path) -> Roots:
    """Return the certificates in a PEM file.

    Raises:
        ConfigError: there is none that can be read.
    """
    from cryptography.x509 import load_pem_x509_certificates

    try:
        with path.open("rb") as stream:
            text = stream.read(_LARGEST_ROOTS)
    except OSError as error:
        raise ConfigError(f"the roots cannot be read: {error.strerror}", file=path) from error
    try:
        with warnings.catch_warnings():
            # Lists of roots hold odd ones, and nobody can mend them here.
            warnings.simplefilter("ignore")
            return Roots(path, tuple(load_pem_x509_certificates(text)))
    except ValueError as error:
        raise ConfigError("holds no certificates that can be read", file=path, expected=_ROOTS_EXPECTED) from error


def parse(raw: bytes) -> Token:
    """Return what an answer says.

    Raises:
        ConfigError: the library is not installed.
        CustodyError: it is none, or the authority granted no time stamp.
    """
    require()
    if len(raw) > LARGEST_REPLY:
        raise CustodyError("the time stamp is too large", expected=f"at most {LARGEST_REPLY:,} bytes")
    try:
        with warnings.catch_warnings():
            # What the library thinks of a certificate that somebody made odd helps no operator.
            warnings.simplefilter("ignore")
            return _parsed(raw)
    except CustodyError:
        raise
    except Exception as error:
        raise CustodyError("the time stamp cannot be read: it is altered, or none") from error


def _parsed(raw: bytes) -> Token:
    response = _decoded(raw)
    if response.status != 0:
        raise CustodyError(f"the authority granted no time stamp (status {int(response.status)})")
    told = response.tst_info
    imprint = told.message_imprint
    return Token(
        time=told.gen_time,
        authority=_signer_name(response),
        hash_name=_HASHES.get(imprint.hash_algorithm.dotted_string, ""),
        imprint=imprint.message,
        nonce=told.nonce,
        raw=raw,
    )


def _decoded(raw: bytes) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response

    response = decode_timestamp_response(raw)
    if response.as_bytes() != raw:
        raise ValueError("not in canonical form")
    return response


def _signer_name(response: TimeStampResponse) -> str:
    """Return the subject of the certificate whose issuer and number the signature names."""
    from cryptography.x509 import load_der_x509_certificate

    signers = {(one.issuer, one.serial_number) for one in response.signed_data.signer_infos}
    held = map(load_der_x509_certificate, sorted(response.signed_data.certificates))
    names = [one.subject.rfc4514_string() for one in held if (one.issuer, one.serial_number) in signers]
    return names[0] if names else ""


def signature_differs(token: Token, roots: Roots) -> str | None:
    """Return what is wrong with a token's signature, None where nothing is.

    Certificates have to be valid at the time that the token tells, not today. Revocation is not asked for: that would
    take a connection.

    Args:
        token: as `parse` gave it.
        roots: that the authority's certificate must lead to.
    """
    from rfc3161_client import VerificationError, VerifierBuilder

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verifier = VerifierBuilder(roots=list(roots.certificates)).build()
            verifier.verify(_decoded(token.raw), token.imprint)
    except VerificationError as error:
        return _reason(str(error))
    except Exception:  # noqa: BLE001 - a foreign parser over hostile bytes: whatever it stumbles over is no signature
        return "the time stamp is altered: its signature cannot be read"
    return None


def _reason(told: str) -> str:
    """Return in our words what the library says, which quotes the inside of OpenSSL."""
    if "purpose" in told or "EKU" in told:
        return "the time stamp is signed by a certificate that is not for time stamps"
    if "certificate verify error" in told:
        return "the time stamp is of an authority that leads to none of the given roots, or is altered"
    return "the time stamp is altered: its signature is not of what it says"
