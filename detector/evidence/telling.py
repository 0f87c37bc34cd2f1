"""Which queries are kept with an incident line by line, and keeping them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.raw import reread
from detector.store.evidence import PinnedLine, read_pins, write_pins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from detector.evidence.context import IncidentContext
    from detector.evidence.raw import FileReading
    from detector.store.engine import Store
    from detector.store.evidence import SourceFile

MAX_PINNED = 2_000
_EDGE = 100


def choose(context: IncidentContext, limit: int = MAX_PINNED) -> NDArray[np.int64]:
    """Return the queries to keep, in time order: ends, records and best of each pursuit, then evenly spaced ones."""
    count = len(context.queries)
    if count <= limit:
        return np.arange(count)
    wanted: list[int] = []
    for pursuit in context.pursuits:
        rises = np.flatnonzero(np.diff(np.nan_to_num(pursuit.best_so_far, nan=-1.0), prepend=-2.0) > 0)
        wanted += pursuit.best
        wanted += [int(row) for row in (*pursuit.rows[:_EDGE], *pursuit.rows[-_EDGE:], *pursuit.rows[rises])]
    first = list(dict.fromkeys(wanted))[: limit // 2]
    even = np.linspace(0, count - 1, limit - len(first)).astype(np.int64)
    return np.union1d(np.array(first, dtype=np.int64), even)


def pins(context: IncidentContext) -> tuple[PinnedLine, ...]:
    """Return the queries to keep of an incident, still without their raw lines."""
    queries = context.queries
    files = {file.id: file for file in context.files}
    found = []
    for row in choose(context):
        file = files.get(int(queries.file_id[row]))
        if file is None:
            continue
        found.append(
            PinnedLine(
                file_sha256=file.sha256,
                line=int(queries.line[row]),
                row_index=int(queries.row_index[row]),
                path=file.path,
                ts=int(queries.ts[row]),
                client=str(queries.client[row]),
                pattern=str(context.patterns[row]),
                raw_sha256=None,
                raw=None,
            )
        )
    return tuple(found)


def pin(store: Store, wanted: Mapping[str, Sequence[PinnedLine]], files: Sequence[SourceFile]) -> dict[str, str]:
    """Keep the raw lines of several incidents, reading each source file once for all of them.

    Lines kept by an earlier run stay: their source may be gone by now.

    Args:
        store: the database.
        wanted: by incident, the queries to keep.
        files: the log files that they come from.

    Returns:
        Why the lines of a file could not be had, by the file's hash.
    """
    kept = {incident: {_place(one): one for one in read_pins(store, incident)} for incident in wanted}
    missing: dict[str, set[int]] = defaultdict(set)
    for incident, lines in wanted.items():
        for one in lines:
            before = kept[incident].get(_place(one))
            if before is None or before.raw_sha256 is None:
                missing[one.file_sha256].add(one.line)
    readings = _readings(missing, files)
    for incident, lines in wanted.items():
        complete = [_completed(one, kept[incident].get(_place(one)), readings) for one in lines]
        write_pins(store, incident, complete)
    return {sha256: reading.problem for sha256, reading in readings.items() if reading.problem}


def _readings(missing: Mapping[str, set[int]], files: Sequence[SourceFile]) -> dict[str, FileReading]:
    """Read each file once; of copies of one file the first that still holds the content will do."""
    readings: dict[str, FileReading] = {}
    for file in files:
        if file.sha256 in missing and (file.sha256 not in readings or readings[file.sha256].problem):
            readings[file.sha256] = reread(file, missing[file.sha256])
    return readings


def _completed(one: PinnedLine, before: PinnedLine | None, readings: Mapping[str, FileReading]) -> PinnedLine:
    sha256, raw = (before.raw_sha256, before.raw) if before is not None else (None, None)
    if sha256 is None and one.file_sha256 in readings:
        line = readings[one.file_sha256].lines.get(one.line)
        sha256, raw = (line.sha256, line.text) if line is not None else (None, None)
    return PinnedLine(one.file_sha256, one.line, one.row_index, one.path, one.ts, one.client, one.pattern, sha256, raw)


def _place(one: PinnedLine) -> tuple[str, int, int]:
    return one.file_sha256, one.line, one.row_index
