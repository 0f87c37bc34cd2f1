"""Checking a bundle: every member, every byte between them, and who signed.

Two looks, because they answer different questions. The first takes the file as any zip program would and compares each
member with the manifest: it names what was altered, added, removed or moved. The second lays out anew, from what the
manifest promises, the headers and the directory, and compares the whole file byte for byte: nothing can be changed
where the first does not look.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from detector.custody import manifest as manifests
from detector.custody.archive import Archive, contents_differ, layout_differs, open_archive
from detector.custody.keys import signer_key
from detector.custody.layout import first_member
from detector.custody.stamping import Stamp, examine
from detector.errors import CustodyError

if TYPE_CHECKING:
    from pathlib import Path

    from detector.custody.keys import PublicKey
    from detector.custody.manifest import Manifest
    from detector.custody.timestamp import Roots


class Trouble(StrEnum):
    """What can be wrong with a bundle."""

    ARCHIVE = "archive"
    MANIFEST = "manifest"
    ALTERED = "altered"
    ADDED = "added"
    REMOVED = "removed"
    REORDERED = "reordered"
    SIGNATURE = "signature"
    SIGNER = "signer"
    UNSIGNED = "unsigned"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `member` is a name that the file gave, whoever wrote it."""

    trouble: Trouble
    told: str
    member: str | None = None


@dataclass(frozen=True)
class Verification:
    """What a check found.

    Attributes:
        problems: in the order found; none where all is well.
        manifest: what the bundle says of itself, None where that cannot be read.
        manifest_sha256: of its bytes: who noted it when the bundle was written can compare it.
        signed: whether there is a signature and it is that of the key that the manifest names.
        pinned: whether a key was asked for.
        stamp: the time stamp beside the file, None where there is none.
    """

    problems: tuple[Problem, ...]
    manifest: Manifest | None
    manifest_sha256: str | None
    signed: bool
    pinned: bool
    stamp: Stamp | None = None

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong; an unsigned bundle can be valid where no key was asked for."""
        return not self.problems


def verify(
    path: Path, pinned: PublicKey | None = None, roots: Roots | None = None, *, stamped: bool = False
) -> Verification:
    """Check a bundle and the time stamp beside it; needs neither network nor database.

    Args:
        path: the file.
        pinned: whose signature it must bear.
        roots: that the certificate of the time stamp must lead to; None leaves its signature unchecked.
        stamped: whether there must be a time stamp.

    Raises:
        CustodyError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CustodyError(f"the bundle cannot be read: {error.strerror}", file=path) from error
    found = check(data, pinned)
    stamp, wrong = examine(path, data, roots)
    if stamp is None and stamped:
        wrong = "there is no time stamp beside this bundle"
    late = (Problem(Trouble.TIMESTAMP, wrong),) if wrong is not None else ()
    return replace(found, problems=(*found.problems, *late), stamp=stamp)


def check(data: bytes, pinned: PublicKey | None = None) -> Verification:
    """Check the bytes of a bundle; what lies beside it is not looked at."""
    archive, broken = open_archive(data)
    problems = [Problem(Trouble.ARCHIVE, broken)] if broken is not None else []
    text = _manifest_bytes(data, archive)
    if text is None:
        problems.append(Problem(Trouble.MANIFEST, "there is no manifest", manifests.NAME))
        return Verification(tuple(problems), None, None, signed=False, pinned=pinned is not None)
    digest = hashlib.sha256(text).hexdigest()
    try:
        manifest = manifests.parse(text)
    except CustodyError as error:
        problems.append(Problem(Trouble.MANIFEST, error.message, manifests.NAME))
        return Verification(tuple(problems), None, digest, signed=False, pinned=pinned is not None)
    signature = archive.read(manifests.SIGNATURE, manifests.SIGNATURE_BYTES) if archive is not None else None
    if archive is not None:
        problems += [Problem(Trouble(kind), told, name) for kind, name, told in contents_differ(archive, manifest)]
    problems += [Problem(Trouble.ARCHIVE, told, name) for name, told in layout_differs(data, text, manifest)]
    wrong, signed = _signature(text, signature, manifest, pinned)
    return Verification((*problems, *wrong), manifest, digest, signed=signed, pinned=pinned is not None)


def _manifest_bytes(data: bytes, archive: Archive | None) -> bytes | None:
    """Return the manifest: from its place at the beginning, else from wherever a zip program finds it."""
    first = first_member(data)
    if first is not None and first[0] == manifests.NAME:
        return first[1]
    return archive.read(manifests.NAME, manifests.LARGEST_MANIFEST) if archive is not None else None


def _signature(
    text: bytes, signature: bytes | None, manifest: Manifest, pinned: PublicKey | None
) -> tuple[list[Problem], bool]:
    """Return what is wrong with the signature, and whether it is that of the key that the manifest names."""
    if manifest.signer is None:
        missing = [Problem(Trouble.UNSIGNED, "nobody signed this bundle")] if pinned is not None else []
        return missing, False
    problems = []
    key = signer_key(manifest.signer.public_key)
    good = signature is not None and key.signed(text, signature)
    if signature is None:
        problems.append(Problem(Trouble.SIGNATURE, "the manifest names a signer, and the signature is missing"))
    elif not good:
        problems.append(Problem(Trouble.SIGNATURE, "the signature is not that of this manifest", manifests.SIGNATURE))
    if key.id != manifest.signer.key_id:
        problems.append(Problem(Trouble.SIGNER, "the manifest calls its key by the name of another"))
    if pinned is not None and pinned.raw != key.raw:
        problems.append(Problem(Trouble.SIGNER, f"signed by key {key.id}, not by the pinned key {pinned.id}"))
    return problems, good
