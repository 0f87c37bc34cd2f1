"""Loading what reads a log before it is needed: libraries, and compiled code that is fetched on its first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.ingest import storing as _libraries  # noqa: F401 - to be loaded
from detector.ingest.blocks import LinePiece, filled
from detector.ingest.contents import Content, sniff
from detector.ingest.layouts import plan_of
from detector.ingest.options import LogFormat
from detector.ingest.reading import choose, read_block
from detector.ingest.streams import open_stream

if TYPE_CHECKING:
    from pathlib import Path

    from detector.ingest.options import IngestOptions

_HEAD = 1 << 16


def rehearse(path: Path, options: IngestOptions) -> None:
    """Read the first lines of a file for nothing. Of a table the first lines alone cannot be read: they are left."""
    stream = open_stream(path)
    try:
        head = bytes(filled(stream, b"", _HEAD))
    finally:
        stream.close()
    size = head.rfind(b"\n") + 1
    container = options.container or sniff(Content("", len(head), head), path)
    if container is LogFormat.JSONL and size:
        block = LinePiece(head, size, head.count(b"\n"), 1, options.max_line_bytes).block()
        plan = plan_of(container, options)
        read_block(block, choose(block, plan, options.assume_tz))
