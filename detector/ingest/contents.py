"""What a file is: the hash of its uncompressed content, its size, its container."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from detector.ingest.options import LogFormat
from detector.ingest.streams import open_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_READ = 1 << 23
_PATIENCE = 0.2
_SNIFFED = 1 << 16
_PARQUET = b"PAR1"
_BOM = b"\xef\xbb\xbf"
_RECORD = re.compile(rb'\{\s*["}]')
_LINES_SNIFFED = 100
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x1b")) + b"\x7f"
_MOST_CONTROLS = 0.01


@dataclass(frozen=True)
class Content:
    """What a first pass over a file tells.

    Attributes:
        sha256: of the uncompressed bytes, hexadecimal.
        size: of the uncompressed bytes.
        head: the first 64 kB of them.
        damage: why they end before the file's end; None while nothing is wrong.
    """

    sha256: str
    size: int
    head: bytes
    damage: str | None = None


def look_at(path: Path, progress: Callable[[int], None]) -> Content:
    """Hash a file; `progress` is told how many of its bytes on the disk are done."""
    digest, size, head = hashlib.sha256(), 0, b""
    stream = open_stream(path)
    buffer = memoryview(bytearray(_READ))
    try:
        while count := stream.readinto(buffer):
            chunk = buffer[:count]
            digest.update(chunk)
            size += count
            if len(head) < _SNIFFED:
                head = (head + bytes(chunk[:_SNIFFED]))[:_SNIFFED]
            progress(stream.position)
    finally:
        stream.close()
    return Content(digest.hexdigest(), size, head, stream.damage)


class _Abandoned(Exception):  # noqa: N818 - no error, and nobody sees it
    """Nobody waits for the file any more."""


class Looking:
    """`look_at` in a thread of its own, so that the store can be opened meanwhile; leaving it ends it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0
        self._abandoned = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="look")
        self._found = self._pool.submit(look_at, path, self._note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandoned = True
        self._pool.shutdown()

    def _note(self, at: int) -> None:
        if self._abandoned:
            raise _Abandoned
        self._at = at

    def result(self, progress: Callable[[int], None]) -> Content:
        """Wait for what the file is; `progress` is told as `look_at` does, but in the caller's thread."""
        while not wait([self._found], _PATIENCE).done:
            progress(self._at)
        progress(self._at)
        return self._found.result()


def sniff(content: Content, path: Path) -> LogFormat | None:
    """Return the container by what is in the file, by its name only where that does not tell; None for no log at all.

    NUL bytes alone do not make a file binary: a crash leaves runs of them in logs.
    """
    head = content.head
    if head.startswith(_PARQUET):
        return LogFormat.PARQUET
    filled = [line.strip(b"\0 \t\r") for line in head.removeprefix(_BOM).split(b"\n")]
    filled = [line for line in filled if line]
    if any(_RECORD.match(line) for line in filled[:_LINES_SNIFFED]):
        return LogFormat.JSONL
    if not filled or _is_binary(head):
        return None if head.strip() else LogFormat.JSONL
    name, first = path.name.lower(), filled[0]
    if ".csv" in name or ".tsv" in name or (b"timestamp" in first and any(mark in first for mark in b",;\t|")):
        return LogFormat.CSV
    return LogFormat.JSONL


def why_no_log(content: Content) -> str:
    """Return what to tell of a file that `sniff` makes nothing of."""
    if content.head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "this is text in UTF-16: convert it to UTF-8"
    return "this is not a log: neither text nor Parquet"


def _is_binary(head: bytes) -> bool:
    return len(head) - len(head.translate(None, _CONTROLS)) > len(head) * _MOST_CONTROLS
