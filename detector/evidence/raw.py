"""Reading single lines again from the log files that they came from: one pass a file, whatever it is packed in."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from detector.store.evidence import SourceFile

_CHUNK = 1 << 20
_LONGEST_KEPT = 65_536
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class RawLine:
    """One line as it lies in its file.

    Attributes:
        sha256: of its bytes without the line feed that ends it.
        text: the line as text; unreadable bytes and NUL escaped, cut where it is very long.
    """

    sha256: str
    text: str


@dataclass(frozen=True)
class FileReading:
    """What a second reading of a file gave.

    Attributes:
        lines: by line number, counted from 1; only those asked for.
        problem: why no line could be had, None where they could.
    """

    lines: Mapping[int, RawLine]
    problem: str | None = None


def reread(file: SourceFile, wanted: Collection[int]) -> FileReading:
    """Return the lines `wanted` of a log file, provided that it still holds what was ingested.

    The whole file is read to compare its hash: a line of a file that changed since is no evidence.
    """
    path = Path(file.path)
    try:
        with path.open("rb") as start:
            magic = start.read(4)
        if magic == _PARQUET:
            return FileReading({}, "the source is Parquet, which has rows and no lines")
        digest = hashlib.sha256()
        lines = {number: _raw(line) for number, line in _lines(_chunks(path, magic), sorted(wanted), digest)}
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return FileReading({}, f"the source is no longer at hand: {reason}")
    if digest.hexdigest() != file.sha256:
        return FileReading({}, "the file at that place no longer holds what was read")
    return FileReading(lines)


def _chunks(path: Path, magic: bytes) -> Iterator[bytes]:
    with _opened(path, magic) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _opened(path: Path, magic: bytes) -> BinaryIO:
    if magic.startswith(_GZIP):
        import gzip

        return cast("BinaryIO", gzip.open(path, "rb"))
    if magic == _ZSTD:
        import pyarrow as pa

        return cast("BinaryIO", pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def _lines(chunks: Iterator[bytes], wanted: list[int], digest: hashlib._Hash) -> Iterator[tuple[int, bytes]]:
    """Yield the wanted lines; every byte passes through `digest`."""
    asked = iter(wanted)
    target = next(asked, None)
    number, held = 1, bytearray()
    for chunk in chunks:
        digest.update(chunk)
        if target is None:
            continue
        breaks = chunk.count(b"\n")
        if number + breaks < target:
            # No wanted line begins here: counting is ten times cheaper than splitting.
            number += breaks
            held.clear()
            continue
        held += chunk
        if not breaks:
            continue
        *whole, rest = bytes(held).split(b"\n")
        for line in whole:
            if number == target:
                yield number, line
                target = next(asked, None)
            number += 1
        held = bytearray(rest)
    if target == number and held:
        yield number, bytes(held)


def _raw(line: bytes) -> RawLine:
    text = line[: _LONGEST_KEPT + 1].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    if len(text) > _LONGEST_KEPT:
        text = text[:_LONGEST_KEPT] + "…"
    return RawLine(hashlib.sha256(line).hexdigest(), text)
