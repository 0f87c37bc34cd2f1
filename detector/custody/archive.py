"""Reading a bundle that may have been tampered with: what its members hold, and where its bytes differ."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.custody import manifest as manifests
from detector.custody.layout import STORED, Packed, directory, local_header, local_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detector.custody.manifest import Manifest, MemberEntry

_CHUNK = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip
"""What the standard library raises over archives that are not what they say."""


@dataclass(frozen=True)
class Archive:
    """A file that some zip program can open."""

    zip: zipfile.ZipFile

    @property
    def names(self) -> list[str]:
        """The members' names in the order of the directory."""
        return [one.filename for one in self.zip.infolist()]

    def read(self, name: str, most: int) -> bytes | None:
        """Return a member of at most `most` bytes, None where there is none such."""
        try:
            with self.zip.open(name) as stream:
                content = stream.read(most + 1)
        except (KeyError, *_UNREADABLE):
            return None
        return content if len(content) <= most else None

    def hashed(self, name: str, most: int) -> str | None:
        """Return the SHA-256 of a member, None where it cannot be read or is larger than `most`."""
        digest, seen = hashlib.sha256(), 0
        try:
            with self.zip.open(name) as stream:
                while seen <= most and (part := stream.read(_CHUNK)):
                    digest.update(part)
                    seen += len(part)
        except (KeyError, *_UNREADABLE):
            return None
        return digest.hexdigest() if seen <= most else None


def open_archive(data: bytes) -> tuple[Archive | None, str | None]:
    """Return the archive, or why it is none."""
    try:
        return Archive(zipfile.ZipFile(io.BytesIO(data))), None
    except _UNREADABLE:
        return None, "the archive's directory cannot be read"


def contents_differ(archive: Archive, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Yield what kind of difference there is, the member, and a sentence, for each member that is not as promised."""
    counts = Counter(archive.names)
    own = [manifests.NAME, *([manifests.SIGNATURE] if manifest.signer is not None else [])]
    for name in own:
        if name not in counts:
            yield "removed", name, "it is not there"
    for one in manifest.members:
        if one.name not in counts:
            yield "removed", one.name, "the manifest lists it, and it is not there"
        elif archive.hashed(one.name, one.size) != one.sha256:
            yield "altered", one.name, "its content is not what the manifest says"
    yield from _order_differs(archive.names, [*own, *(one.name for one in manifest.members)])


def _order_differs(names: Sequence[str], expected: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    known, counts = set(expected), Counter(names)
    for name, count in counts.items():
        if name not in known:
            yield "added", name, "the manifest does not list it"
        elif count > 1:
            yield "added", name, f"it is there {count} times"
    common = [name for name in counts if name in known]
    for name, place in zip(common, [name for name in expected if name in counts], strict=True):
        if name != place:
            yield "reordered", name, f"it stands where {place} belongs"


def layout_differs(data: bytes, text: bytes, manifest: Manifest) -> Iterator[tuple[str | None, str]]:
    """Yield the place of each difference to the one layout that the manifest's members have."""
    members, offset = [], 0
    for one in _expected(data, text, manifest):
        start = offset + local_size(one.name)
        body = data[start : start + one.packed_size]
        packed, wrong = _unpacked(one, body)
        if wrong is not None:
            yield one.name, wrong
        if data[offset:start] != local_header(packed):
            yield one.name, "the header before it is not as it was written"
        members.append(packed)
        offset = start + one.packed_size
    tail = directory(members)
    if data[offset : offset + len(tail)] != tail:
        yield None, "the directory at the end is not as it was written"
    elif len(data) > offset + len(tail):
        yield None, f"{len(data) - offset - len(tail):,} bytes stand behind the end"


def _expected(data: bytes, text: bytes, manifest: Manifest) -> Iterator[MemberEntry]:
    """Yield the lines of all members; of the two that the manifest cannot list, those that it would have."""
    yield _stored(manifests.NAME, text)
    if manifest.signer is not None:
        start = local_size(manifests.NAME) + len(text) + local_size(manifests.SIGNATURE)
        yield _stored(manifests.SIGNATURE, data[start : start + manifests.SIGNATURE_BYTES])
    yield from manifest.members


def _stored(name: str, content: bytes) -> MemberEntry:
    sha256, size = hashlib.sha256(content).hexdigest(), len(content)
    return manifests.MemberEntry(
        name=name, size=size, sha256=sha256, method="stored", packed_size=size, packed_sha256=sha256
    )


def _unpacked(one: MemberEntry, body: bytes) -> tuple[Packed, str | None]:
    """Return a member as its place in the file holds it, and what is wrong with it there."""
    wrong = None
    if one.packed_sha256 != hashlib.sha256(body).hexdigest():
        wrong = "the bytes in its place are not as they were written"
    crc, size = (zlib.crc32(body), len(body)) if one.method_code == STORED else _inflated(body, one.size)
    if wrong is None and size != one.size:
        wrong = "the bytes in its place do not unpack to what the manifest says"
    return Packed(one.name, one.method_code, crc, one.size, body), wrong


def _inflated(body: bytes, most: int) -> tuple[int, int]:
    """Return CRC-32 and size of a packed content; -1 for one that is not whole, or larger than `most`."""
    engine, crc, size = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
    try:
        left = body
        while not engine.eof:
            part = engine.decompress(left, _CHUNK)
            left = engine.unconsumed_tail
            crc, size = zlib.crc32(part, crc), size + len(part)
            if size > most or (not part and not left):
                break
    except zlib.error:
        return 0, -1
    return crc, size if engine.eof and not engine.unused_data else -1
