"""Files as streams of uncompressed bytes: plain, gzip (many members too) or zstd, told apart by their first bytes.

A damaged file gives everything before the damage, and says what the damage is instead of raising.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

from detector.errors import UsageError

if TYPE_CHECKING:
    import io
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 16
_WITH_GZIP_HEADER = 31


class ByteStream(Protocol):
    """Uncompressed bytes of one file.

    Attributes:
        damage: why the file ends before its end, None while nothing is wrong.
        position: bytes of the file, as it lies on the disk, that have been used.
    """

    damage: str | None

    @property
    def position(self) -> int:
        """Bytes of the file used so far."""
        ...

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of `view` and return how many bytes that are: at least 1, 0 only at the end."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_stream(path: Path) -> ByteStream:
    """Open `path`.

    Raises:
        UsageError: the file is missing or may not be read.
    """
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", file=path, expected="a log file") from error
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP):
        return GzipStream(file)
    if magic == _ZSTD:
        return ZstdStream(path, file)
    return PlainStream(file)


class _OnFile:
    """What the streams share: the file under them."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.damage: str | None = None

    @property
    def position(self) -> int:
        """Bytes of the file used so far."""
        return 0 if self._file.closed else self._file.tell()

    def _raw(self, size: int) -> bytes:
        try:
            return self._file.read(size) or b""
        except OSError as error:
            self.damage = f"the disk gave an error: {error.strerror}"
            return b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Decompressing(_OnFile):
    """What the streams share that hand out pieces of their own making."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__(file)
        # A salvaged piece may be longer than was asked for.
        self._waiting = b""

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of `view` and return how many bytes that are, 0 at the end."""
        out = self._waiting or self._decoded(len(view))
        fitting = out[: len(view)]
        view[: len(fitting)] = fitting
        self._waiting = out[len(view) :]
        return len(fitting)

    def _decoded(self, size: int) -> bytes:
        raise NotImplementedError


class PlainStream(_OnFile):
    """A file that is not compressed."""

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of `view` and return how many bytes that are, 0 at the end."""
        try:
            return self._file.readinto(view) or 0
        except OSError as error:
            self.damage = f"the disk gave an error: {error.strerror}"
            return 0


class GzipStream(_Decompressing):
    """A gzip file of any number of members."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__(file)
        self._inflater = zlib.decompressobj(_WITH_GZIP_HEADER)
        self._pending = b""
        self._fresh = True

    def _decoded(self, size: int) -> bytes:
        """Return about up to `size` bytes, none at the end or at the damage."""
        while self.damage is None:
            if self._inflater.eof and not self._next_member():
                return b""
            chunk = self._pending or self._raw(_CHUNK)
            if not chunk:
                if not self._fresh and self.damage is None:
                    self.damage = "the gzip stream is cut off"
                return self._inflater.flush()
            out = self._inflate(chunk, size)
            if out:
                return out
        return b""

    def _inflate(self, chunk: bytes, size: int) -> bytes:
        before = self._inflater.copy()
        self._fresh = False
        try:
            out = self._inflater.decompress(chunk, size)
        except zlib.error as error:
            self.damage = f"the gzip stream is broken: {error}"
            return _salvage(before, chunk, size)
        self._pending = self._inflater.unconsumed_tail
        return out

    def _next_member(self) -> bool:
        """Begin the member that follows, if one does; NUL padding between and after members is legal."""
        rest = self._inflater.unused_data.lstrip(b"\0")
        while len(rest) < len(_GZIP):
            more = self._raw(_CHUNK)
            if not more:
                break
            rest = (rest + more).lstrip(b"\0")
        if not rest:
            self._pending = b""
            self._inflater = zlib.decompressobj(_WITH_GZIP_HEADER)
            self._fresh = True
            return False
        if not rest.startswith(_GZIP):
            self.damage = "something that is not gzip follows the gzip stream"
            return False
        self._inflater, self._pending = zlib.decompressobj(_WITH_GZIP_HEADER), rest
        return True


def _salvage(inflater: zlib._Decompress, chunk: bytes, size: int) -> bytes:
    """Return what can be had of `chunk` before the byte that breaks it: zlib drops it all with the error."""
    out = bytearray()
    try:
        for at in range(len(chunk)):
            out += inflater.decompress(chunk[at : at + 1], size)
    except zlib.error:
        pass
    return bytes(out)


class ZstdStream(_Decompressing):
    """A zstd file of any number of frames."""

    def __init__(self, path: Path, file: io.FileIO) -> None:
        super().__init__(file)
        self._path = path
        self._done = 0
        self._decoder = self._open(file)

    @staticmethod
    def _open(file: io.FileIO) -> io.RawIOBase:
        import pyarrow as pa

        stream: io.RawIOBase = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
        return stream

    def _decoded(self, size: int) -> bytes:
        """Return about up to `size` bytes, none at the end or at the damage."""
        if self.damage is not None:
            return b""
        try:
            out = self._decoder.read(min(size, _CHUNK)) or b""
        except OSError as error:
            self.damage = f"the zstd stream is cut off or broken: {error}"
            return self._salvage()
        self._done += len(out)
        return out

    def _salvage(self) -> bytes:
        """Read up to the damage byte by byte in a second decoder: a failing read loses what it had decoded."""
        out = bytearray()
        with self._path.open("rb", buffering=0) as file:
            decoder = self._open(file)
            try:
                left = self._done
                while left:
                    left -= len(decoder.read(min(left, _CHUNK)) or b"")
                while octet := decoder.read(1):
                    out += octet
            except OSError:
                pass
        return bytes(out)

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()
        super().close()
