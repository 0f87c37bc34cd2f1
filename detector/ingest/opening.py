"""An open log file of any container, as pieces that can be parsed apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from detector.ingest.blocks import line_pieces
from detector.ingest.options import MIB, LogFormat
from detector.ingest.streams import open_stream
from detector.ingest.tables import csv_pieces, parquet_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from detector.ingest.blocks import Piece
    from detector.ingest.options import IngestOptions
    from detector.ingest.streams import ByteStream


class OpenLog:
    """A log file while it is read.

    Attributes:
        pieces: its content in order.
        damage: why it ended before its end; None while nothing is wrong.
    """

    def __init__(self, path: Path, container: LogFormat, options: IngestOptions, *, explodes: bool) -> None:
        self._stream: ByteStream | None = None if container is LogFormat.PARQUET else open_stream(path)
        self._damage: str | None = None
        # A record may turn into many queries: less text at a time, then.
        self._block_bytes = min(options.block_bytes, MIB) if explodes else options.block_bytes
        self.pieces = self._cut(path, container, options)

    def _cut(self, path: Path, container: LogFormat, options: IngestOptions) -> Iterator[Piece]:
        if self._stream is None:
            try:
                yield from parquet_pieces(path, self._block_bytes)
            except (pa.ArrowException, OSError) as error:
                self._damage = f"the Parquet file is damaged: {str(error).splitlines()[0]}"
        elif container is LogFormat.CSV:
            yield from csv_pieces(self._stream, self._block_bytes, options.max_line_bytes)
        else:
            yield from line_pieces(self._stream, self._block_bytes, options.max_line_bytes)

    @property
    def damage(self) -> str | None:
        """Why the file ended before its end."""
        return self._damage or (self._stream.damage if self._stream else None)

    @property
    def position(self) -> int:
        """Bytes of the file used so far, 0 where that is not known."""
        return self._stream.position if self._stream else 0

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
