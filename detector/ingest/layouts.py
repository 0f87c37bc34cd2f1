"""Which layout a file's records have, and whether a table can be a log at all."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from detector.ingest.options import LogFormat
from detector.ingest.plan import GENERIC, GENERIC_TABLE

if TYPE_CHECKING:
    from pathlib import Path

    from detector.ingest.contents import Content
    from detector.ingest.options import IngestOptions
    from detector.ingest.plan import Plan

DELIMITERS = ",;\t|"


def header_of(line: str) -> tuple[str, list[str]]:
    """Return the delimiter and the column names that the first line of a CSV file shows."""
    delimiter = max(DELIMITERS, key=line.count)
    try:
        names = next(csv.reader([line], delimiter=delimiter, strict=False), [])
    except csv.Error:
        names = []
    return delimiter, [name.strip() for name in names]


def columns_of(path: Path) -> list[str]:
    """Return the column names of a Parquet file, none where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        return []


def plan_of(container: LogFormat, options: IngestOptions) -> Plan:
    """Return how the records of a container are laid out."""
    if options.mapping is not None:
        return options.mapping.plan(container)
    return GENERIC if container is LogFormat.JSONL else GENERIC_TABLE


def lacks_columns(path: Path, container: LogFormat, content: Content, plan: Plan) -> str | None:
    """Return a column without which a table cannot be a log; None where all are there, or it is no table."""
    if container is LogFormat.JSONL:
        return None
    if container is LogFormat.PARQUET:
        columns = columns_of(path)
    else:
        lines = content.head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \0").split(b"\n", 1)
        columns = header_of(lines[0].decode("utf-8", "replace"))[1]
    for name in ("timestamp", "client_id", "model"):
        places = [source.pointer for source in plan.sources.get(name, ()) if source.pointer]
        if places and not any(_first_step(place) in columns for place in places):
            return name
    return None


def _first_step(pointer: str) -> str:
    return pointer.split("/")[1].replace("~1", "/").replace("~0", "~")
