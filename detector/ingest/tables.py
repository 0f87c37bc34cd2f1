"""CSV and Parquet logs: their rows as JSON objects, so that one way of reading serves every container."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.ingest.arrays import byte_ranges, scattered, strings, whole
from detector.ingest.blocks import EXCERPT_BYTES, Block, Piece, Refusal, filled, without_bom
from detector.ingest.kernels.repair import not_utf8, printable
from detector.ingest.kernels.tables import records_as_json, split_records
from detector.ingest.layouts import header_of
from detector.model import RowFlag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from detector.ingest.streams import ByteStream

_PARQUET_ROWS = 8192


@dataclass(frozen=True)
class CsvPiece(Piece):
    """Whole records of a CSV file."""

    data: NDArray[np.uint8]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    line: NDArray[np.int64]
    first_line: int
    last_line: int
    delimiter: str
    names: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()

    def block(self) -> Block:
        """Write the records as JSON; one with too few or too many cells is read as far as it goes, and flagged."""
        named = [(json.dumps(name, ensure_ascii=False) + ":").encode("utf-8", "replace") for name in self.names]
        bounds = np.cumsum([0, *(len(name) for name in named)])
        joined = np.frombuffer(b"".join(named) or b" ", np.uint8)
        out, offsets, cells = records_as_json(self.data, self.start, self.end, ord(self.delimiter), joined, bounds)
        texts = strings(out, offsets, pa.string())
        flags = np.where(cells != len(named), RowFlag.FIELD_UNREADABLE, 0).astype(np.int32)
        return Block(self.data, self.start, self.end, self.line, texts, self.refusals, flags)


def csv_pieces(stream: ByteStream, block_bytes: int, max_line_bytes: int) -> Iterator[Piece]:
    """Cut a CSV file with a header into runs of whole records.

    A quote that nothing closes would swallow the rest of the file: the line that it stands on is refused, and reading
    goes on with the next.
    """
    held: bytes | bytearray = without_bom(stream)
    line = 1
    delimiter = ""
    names: tuple[str, ...] = ()
    ended = False
    while not ended or held:
        data = filled(stream, held, max(block_bytes - len(held), block_bytes // 4))
        ended = len(data) == len(held)
        if ended and not data.endswith(b"\n"):
            data += b"\n"
        if not names:
            filled_from = data.lstrip(b"\r\n \0")
            first, newline, rest = filled_from.partition(b"\n")
            if not newline and not ended:
                held = data
                continue
            delimiter, found = header_of(first.decode("utf-8", "replace"))
            line += data.count(b"\n", 0, len(data) - len(rest))
            names, data = tuple(found), rest
        octets = np.frombuffer(data, np.uint8)
        start, end, at_line, rest_at, lines = split_records(octets, ord(delimiter), data.count(b"\n"))
        refusals: tuple[Refusal, ...] = ()
        after = line + lines
        if rest_at < len(data) and (ended or len(data) - rest_at > max_line_bytes):
            cut = data.find(b"\n", rest_at)
            cut = len(data) if cut < 0 else cut
            head = bytes(data[rest_at : min(cut, rest_at + EXCERPT_BYTES)])
            refusals = (Refusal(after, "quote_not_closed", "a quote that ends the cell", head),)
            rest_at, after = cut + 1, after + 1
        if len(start) or refusals:
            yield CsvPiece(octets, start, end, at_line + line, line, after - 1, delimiter, names, refusals)
        held, line = data[rest_at:], after


@dataclass(frozen=True)
class RowPiece(Piece):
    """Some rows of a Parquet file."""

    batch: pa.RecordBatch
    first_line: int

    @property
    def last_line(self) -> int:  # type: ignore[override]
        """The number of its last row."""
        return self.first_line + int(self.batch.num_rows) - 1

    def block(self) -> Block:
        """Write the rows as JSON; these texts are what a row's key is made of."""
        from detector.ingest.lanes import PARSER

        table, escaped = _with_utf8(pa.table(self.batch))
        texts = whole(PARSER.rows_as_json(table))
        data, start, end = byte_ranges(texts)
        flags = np.where(escaped, RowFlag.TEXT_ESCAPED, 0).astype(np.int32)
        return Block(data, start, end, np.arange(len(start)) + self.first_line, texts, flags=flags)


def _with_utf8(table: pa.Table) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Spell out bytes that are not UTF-8 in the columns of text; return where there were any."""
    escaped = np.zeros(table.num_rows, bool)
    for i, field in enumerate(table.schema):
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            continue
        column = whole(table[i])
        ranges = byte_ranges(column)
        bad = np.flatnonzero(not_utf8(*ranges))
        if len(bad):
            data, start, end = ranges
            spelled = strings(*printable(data, start[bad], end[bad]), pa.string()).cast(field.type)
            mask = np.zeros(len(column), bool)
            mask[bad] = True
            mended = pc.if_else(pa.array(mask), scattered(bad, spelled, len(column)), column)
            table = table.set_column(i, field, mended)
            escaped |= mask
    return table, escaped


def parquet_pieces(path: Path, block_bytes: int) -> Iterator[Piece]:
    """Read a Parquet file in runs of rows; numbers are rows counted from 1.

    Raises:
        pyarrow.ArrowException, OSError: the file is damaged from here on.
    """
    import pyarrow.parquet as pq

    first = 1
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for group in range(file.metadata.num_row_groups):
            described = file.metadata.row_group(group)
            fitting = block_bytes * described.num_rows // max(described.total_byte_size, 1)
            for batch in file.iter_batches(max(1, min(_PARQUET_ROWS, fitting)), [group]):
                yield RowPiece(batch, first)
                first += batch.num_rows
