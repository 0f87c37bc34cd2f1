"""One canonical way to lay members into a zip file, so that the file is a function of its members, byte for byte.

No extra fields, no comments, no data descriptors, one fixed time, one after the other in order (APPNOTE 6.3.10, 4.3 to
4.4). Whoever checks a bundle lays the same members out again and compares; a byte that nothing reads cannot hide.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.errors import CustodyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STORED, DEFLATED = 0, 8
LARGEST = 0xFFFF_FFFE
"""Bytes that a member or the whole file may have: beyond begins another format (zip64)."""

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_NEEDED = 20
_MADE_BY = 3 << 8 | _NEEDED
# 1980-01-01 00:00, the first moment that the format can tell.
_TIME, _DATE = 0, 1 << 5 | 1
_MODE = 0o100644 << 16
_LEVEL = 6


@dataclass(frozen=True)
class Packed:
    """One member as it lies in the file.

    Attributes:
        name: ASCII, chosen by us.
        method: STORED or DEFLATED.
        crc: CRC-32 of the content.
        size: of the content, bytes.
        body: the content as packed.
    """

    name: str
    method: int
    crc: int
    size: int
    body: bytes


def pack(name: str, content: bytes, *, deflate: bool) -> Packed:
    """Return a member ready to be laid out.

    Raises:
        CustodyError: it is larger than the format can hold.
    """
    if len(content) > LARGEST:
        raise CustodyError(f"member {name} is too large for a bundle", expected=f"at most {LARGEST:,} bytes")
    if not deflate:
        return Packed(name, STORED, zlib.crc32(content), len(content), content)
    engine = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Packed(name, DEFLATED, zlib.crc32(content), len(content), engine.compress(content) + engine.flush())


def lay_out(members: Sequence[Packed]) -> Iterator[bytes]:
    """Yield the bytes of the file, piece by piece.

    Raises:
        CustodyError: it would be larger than the format can hold.
    """
    total = sum(local_size(one.name) + len(one.body) for one in members)
    if total > LARGEST:
        raise CustodyError("the bundle is too large", expected=f"at most {LARGEST:,} bytes")
    for one in members:
        yield local_header(one)
        yield one.body
    yield directory(members)


def local_header(one: Packed) -> bytes:
    """Return what stands before a member's content."""
    name = one.name.encode("ascii")
    sizes = (one.crc, len(one.body), one.size, len(name), 0)
    return _LOCAL.pack(0x04034B50, _NEEDED, 0, one.method, _TIME, _DATE, *sizes) + name


def local_size(name: str) -> int:
    """Return how many bytes stand before the content of a member of that name."""
    return _LOCAL.size + len(name)


def directory(members: Sequence[Packed]) -> bytes:
    """Return what stands behind the last member: the list of all, and the record that ends the file."""
    entries, offset = bytearray(), 0
    for one in members:
        name = one.name.encode("ascii")
        sizes = (one.crc, len(one.body), one.size, len(name), 0, 0, 0, 0)
        entries += _CENTRAL.pack(0x02014B50, _MADE_BY, _NEEDED, 0, one.method, _TIME, _DATE, *sizes, _MODE, offset)
        entries += name
        offset += local_size(one.name) + len(one.body)
    count = len(members)
    return bytes(entries) + _END.pack(0x06054B50, 0, 0, count, count, len(entries), offset, 0)


def first_member(data: bytes) -> tuple[str, bytes] | None:
    """Return name and content of the stored member at the very beginning, None where there is none such."""
    if len(data) < _LOCAL.size:
        return None
    magic, _, _, method, _, _, _, packed, size, name_size, extra = _LOCAL.unpack_from(data)
    start = _LOCAL.size + name_size
    if magic != 0x04034B50 or method != STORED or packed != size or extra or start + size > len(data):
        return None
    return data[_LOCAL.size : start].decode("ascii", "replace"), data[start : start + size]
