"""Cutting a stream into blocks of whole records, of bounded size whatever the file holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from detector.ingest.arrays import packed, strings
from detector.ingest.kernels.lines import count_newlines, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from detector.ingest.streams import ByteStream

_BOM = b"\xef\xbb\xbf"
EXCERPT_BYTES = 2048


@dataclass(frozen=True)
class Refusal:
    """A record that is set aside before it is parsed."""

    line: int
    reason: str
    expected: str
    excerpt: bytes


@dataclass(frozen=True)
class Block:
    """Some records of one file, in its order.

    Attributes:
        data: the raw bytes.
        start, end: int64, where each record lies in `data`, white space at its end left out.
        line: int64, the physical line on which each record begins, counted from 1 (a row's number in Parquet).
        texts: each record as JSON text, Arrow string.
        refusals: records that were not even cut out.
        flags: int32, `RowFlag`s of each record that are known before it is parsed; None for none.
    """

    data: NDArray[np.uint8]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    line: NDArray[np.int64]
    texts: pa.Array
    refusals: tuple[Refusal, ...] = ()
    flags: NDArray[np.int32] | None = None

    def between(self, after: int, until: int) -> Block:
        """Return the block without what begins on line `after` or before, or beyond line `until`."""
        if self.inside(after, until):
            return self
        keep = (self.line > after) & (self.line <= until)
        refusals = tuple(refusal for refusal in self.refusals if after < refusal.line <= until)
        texts = self.texts.filter(pa.array(keep))
        flags = None if self.flags is None else self.flags[keep]
        return Block(self.data, self.start[keep], self.end[keep], self.line[keep], texts, refusals, flags)

    def inside(self, after: int, until: int) -> bool:
        """Whether all of the block lies beyond line `after` and not beyond line `until`."""
        ends = self.line[[0, -1]].tolist() if len(self.line) else []
        lines = [*ends, *(refusal.line for refusal in self.refusals)]
        return all(after < line <= until for line in lines)


class Piece:
    """A stretch of a file, not yet looked into: cheap to cut, so that the costly part can be done in parallel.

    Attributes:
        first_line: the number of the physical line that it begins with.
        last_line: the last one that it covers.
    """

    first_line: int
    last_line: int

    def block(self) -> Block:
        """Find the records."""
        raise NotImplementedError


@dataclass(frozen=True)
class LinePiece(Piece):
    """Whole lines: the first `size` bytes of `data`."""

    data: bytes | bytearray
    size: int
    newlines: int
    first_line: int
    max_line_bytes: int

    @property
    def last_line(self) -> int:  # type: ignore[override]
        """The last physical line that it covers."""
        unfinished = self.size > 0 and self.data[self.size - 1] != ord("\n")
        return self.first_line + self.newlines - 1 + unfinished

    def block(self) -> Block:
        """Find the lines that are not blank; their JSON texts lie in place where only white space is between them."""
        data = np.frombuffer(self.data, np.uint8, self.size)
        start, end, line, clean = split_lines(data, self.newlines)
        bounds = np.append(start, self.size)
        if clean:
            texts = pa.StringArray.from_buffers(
                len(start), pa.py_buffer(bounds.astype(np.int32)), pa.py_buffer(self.data)
            )
        else:
            places, bounds = packed(start, end)
            texts = strings(data[places], bounds, pa.string())
        found = Block(data, start, end, line + self.first_line, texts)
        too_long = end - start > self.max_line_bytes
        return _without(found, too_long, self.max_line_bytes) if too_long.any() else found


@dataclass(frozen=True)
class LongLine(Piece):
    """A line that was too long to be held."""

    head: bytes
    first_line: int
    max_line_bytes: int

    @property
    def last_line(self) -> int:  # type: ignore[override]
        """The line itself."""
        return self.first_line

    def block(self) -> Block:
        """Return no record, and why."""
        nothing = np.empty(0, np.int64)
        refusal = _too_long(self.first_line, self.head, self.max_line_bytes)
        return Block(np.zeros(1, np.uint8), nothing, nothing, nothing, pa.array([], pa.string()), (refusal,))


def _too_long(line: int, head: bytes, limit: int) -> Refusal:
    return Refusal(line, "line_too_long", f"at most {limit} bytes on a line", head)


def _without(block: Block, mask: NDArray[np.bool_], limit: int) -> Block:
    refusals = tuple(
        _too_long(int(block.line[i]), block.data[block.start[i] : block.start[i] + EXCERPT_BYTES].tobytes(), limit)
        for i in np.flatnonzero(mask)
    )
    keep = ~mask
    texts = block.texts.filter(pa.array(keep))
    return Block(block.data, block.start[keep], block.end[keep], block.line[keep], texts, refusals)


def line_pieces(stream: ByteStream, block_bytes: int, max_line_bytes: int) -> Iterator[Piece]:
    """Cut `stream` into runs of whole lines.

    Args:
        stream: where the bytes come from.
        block_bytes: how much to read before a piece is cut at its last newline.
        max_line_bytes: a longer line is refused, and never held as a whole.
    """
    line = 1
    for data, size in _runs(stream, block_bytes, max_line_bytes):
        if size < 0:
            yield LongLine(bytes(data), line, max_line_bytes)
            line += 1
            continue
        piece = LinePiece(data, size, count_newlines(data, size), line, max_line_bytes)
        yield piece
        line = piece.last_line + 1


def _runs(stream: ByteStream, block_bytes: int, max_line_bytes: int) -> Iterator[tuple[bytes | bytearray, int]]:
    """Yield (bytes, how many of them are whole lines); -1 of them for the head of a line that is too long."""
    held: bytes | bytearray = without_bom(stream)
    while True:
        data = filled(stream, held, max(block_bytes - len(held), block_bytes // 4))
        if len(data) == len(held):
            break
        cut = data.rfind(b"\n", len(held)) + 1
        if cut:
            yield data, cut
            held = data[cut:]
        elif len(data) > max_line_bytes:
            yield data[:EXCERPT_BYTES], -1
            held = _rest_of_line(stream)
        else:
            held = data
    if held:
        yield held, len(held)


def without_bom(stream: ByteStream) -> bytes:
    """Return the first bytes of `stream`, unless they are a byte order mark."""
    head = filled(stream, b"", len(_BOM))
    return bytes(head).removeprefix(_BOM)


def filled(stream: ByteStream, held: bytes | bytearray, more: int) -> bytes | bytearray:
    """Return `held` and up to `more` bytes after it; fewer only at the end."""
    data = bytearray(len(held) + more)
    data[: len(held)] = held
    size = len(held)
    with memoryview(data) as view:
        while size < len(data) and (count := stream.readinto(view[size:])):
            size += count
    del data[size:]
    return data


def _rest_of_line(stream: ByteStream) -> bytes:
    """Skip to the next line, and return what was read of it."""
    while chunk := filled(stream, b"", 1 << 20):
        at = chunk.find(b"\n")
        if at >= 0:
            return bytes(chunk[at + 1 :])
    return b""
