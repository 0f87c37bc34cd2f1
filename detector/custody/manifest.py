"""The manifest: what a bundle holds, in canonical JSON (RFC 8785), which is what gets signed."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.custody.layout import DEFLATED, LARGEST, STORED, Packed
from detector.errors import CustodyError

NAME = "MANIFEST.json"
SIGNATURE = "MANIFEST.sig"
SIGNATURE_BYTES = 64
FORMAT: Final = "inversion-detector evidence bundle"
VERSION: Final = 1
LARGEST_MANIFEST = 16_000_000

_SAFE = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"
_SHA256 = r"^[0-9a-f]{64}$"
_METHODS: dict[Literal["stored", "deflated"], int] = {"stored": STORED, "deflated": DEFLATED}

Method = Literal["stored", "deflated"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MemberEntry(_Part):
    """One member: its content, and how that is packed (so that a changed byte of the packing is found too)."""

    name: str = Field(pattern=_SAFE, max_length=200)
    size: int = Field(ge=0, le=LARGEST)
    sha256: str = Field(pattern=_SHA256)
    method: Method
    packed_size: int = Field(ge=0, le=LARGEST)
    packed_sha256: str = Field(pattern=_SHA256)

    @property
    def method_code(self) -> int:
        """The zip format's number of the method."""
        return _METHODS[self.method]


class SourceEntry(_Part):
    """One log file that the evidence comes from, as the ledger knows it.

    `sha256` and `size` are of its content, unpacked where it was compressed. `lines` of its lines are kept in the
    bundle; `at_hand` tells whether the file still held them when they were kept, None where none was asked for.
    """

    path: str
    format: str
    sha256: str
    size: int = Field(ge=0)
    lines: int = Field(ge=0)
    at_hand: bool | None
    told: str


class Signer(_Part):
    """Whose key signed the manifest: the raw 32 bytes of an Ed25519 public key and their SHA-256, hexadecimal."""

    algorithm: Literal["Ed25519"]
    public_key: str = Field(pattern=_SHA256)
    key_id: str = Field(pattern=_SHA256)


class Manifest(_Part):
    """What a bundle says of itself; `signer` is None where it is unsigned."""

    format: Literal["inversion-detector evidence bundle"]
    version: Literal[1]
    incident: str
    model: str
    night: str
    as_of: str
    software: str
    baseline: str | None
    redacted: bool
    limits: list[str]
    members: list[MemberEntry]
    sources: list[SourceEntry]
    signer: Signer | None


def entry(member: Packed, content_sha256: str) -> MemberEntry:
    """Return the line of the manifest for a packed member."""
    method: Method = "deflated" if member.method == DEFLATED else "stored"
    packed = content_sha256 if method == "stored" else hashlib.sha256(member.body).hexdigest()
    return MemberEntry(
        name=member.name,
        size=member.size,
        sha256=content_sha256,
        method=method,
        packed_size=len(member.body),
        packed_sha256=packed,
    )


def canonical(manifest: Manifest) -> bytes:
    """Return the manifest in the one form that RFC 8785 gives it."""
    import rfc8785

    return rfc8785.dumps(manifest.model_dump(mode="json"))


def parse(data: bytes) -> Manifest:
    """Return the manifest in `data`.

    Raises:
        CustodyError: it is not a manifest, or not in canonical form.
    """
    if len(data) > LARGEST_MANIFEST:
        raise CustodyError("the manifest is too large")
    try:
        manifest = Manifest.model_validate(json.loads(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CustodyError(f"the manifest is not one of ours: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise CustodyError("the manifest is not JSON") from error
    names = [one.name for one in manifest.members]
    if len(set(names)) < len(names) or {NAME, SIGNATURE} & set(names):
        raise CustodyError("the manifest names a member twice")
    try:
        same = canonical(manifest) == data
    except (ValueError, RecursionError) as error:
        raise CustodyError("the manifest holds what canonical JSON cannot") from error
    if not same:
        raise CustodyError("the manifest is not in canonical form")
    return manifest


def plain_text(text: str) -> str:
    """Return `text` as canonical JSON can hold it: lone surrogates spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def safe_name(text: str) -> str:
    """Return `text` as part of a member's name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:80] or "_"
