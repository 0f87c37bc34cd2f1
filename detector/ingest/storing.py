"""Parsing a file in parallel and writing it in order, one transaction a batch."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import duckdb
import numpy as np
import pyarrow as pa

from detector.errors import IngestError
from detector.ingest import nights
from detector.ingest.arrays import whole
from detector.ingest.duplicates import Duplicates
from detector.ingest.opening import OpenLog
from detector.ingest.reading import Batch, Reader, choose, read_block
from detector.ingest.reuse import ReusedIds
from detector.ingest.tally import Tally
from detector.store.ingesting import QUERY_COLUMNS, UNCOMPARED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from detector.ingest.blocks import Piece
    from detector.ingest.options import FileResult, IngestOptions, LogFormat
    from detector.ingest.plan import Plan
    from detector.store.ingesting import IngestLane, LedgerEntry

_MOST_WORKERS = 4
# Steps of niceness.
_BEHIND = 5


class Storing:
    """What the files of one run share while they are stored; `finish` makes the run complete."""

    def __init__(self, lane: IngestLane, options: IngestOptions) -> None:
        self.lane = lane
        self.options = options
        self.workers = max(1, min(_MOST_WORKERS, os.cpu_count() or 1))
        self.pool = ThreadPoolExecutor(self.workers, thread_name_prefix="parse", initializer=_stand_back)
        self.ids = ReusedIds(lane, options.night_starts)
        self.classes = lane.known_classes()
        self.before = lane.time_ranges()
        for touched in lane.uncompared():
            self.ids.load_later(nights.loaded(touched))
        lane.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.shutdown()
        self.ids.close()

    def finish(self) -> None:
        """Flag reused ids, in one transaction with the word that it was done."""
        self.ids.flag()
        self.lane.mark_compared()
        self.lane.commit()

    def _older(self, first_ts: int, last_ts: int) -> bool:
        """Whether the store may have held queries of a time before this run."""
        odd = first_ts < nights.EARLIEST_PLAUSIBLE or last_ts >= nights.LATEST_PLAUSIBLE
        return odd or any(first <= last_ts and first_ts <= last for first, last in self.before)

    def read(
        self, path: Path, container: LogFormat, plan: Plan, entry: LedgerEntry, tell: Callable[[int], None]
    ) -> FileResult:
        """Parse and store what the ledger does not say to be stored.

        Args:
            path: the file.
            container: what it is.
            plan: how its records are laid out.
            entry: its row of the ledger.
            tell: told how many of its bytes on the disk are done.

        Raises:
            IngestError: it holds something that the parser cannot survive.
        """
        # What an interrupted run stored of it has not been through this run's hands.
        self.ids.load_later(nights.loaded(entry.touched))
        tally = Tally(entry)
        duplicates = Duplicates(self.lane, self.lane.time_ranges(), _range(entry))
        self.lane.commit()
        log = OpenLog(path, container, self.options, explodes=plan.explodes)
        try:
            for batch, last_line in self._batches(log, plan, entry.lines_committed):
                if last_line <= entry.lines_committed:
                    duplicates.recall(batch.table)
                else:
                    self._store(batch, last_line, tally, duplicates)
                tell(log.position)
        except (duckdb.Error, pa.ArrowException, MemoryError) as error:
            problem = str(error).split("\n", 1)[0][:300] or type(error).__name__
            raise IngestError(f"cannot be parsed: {problem}", file=path, expected="a log file") from error
        finally:
            log.close()
            self.lane.forget_seen()
        tally.entry = replace(tally.entry, status=UNCOMPARED, damage=log.damage)
        self.lane.update(tally.entry)
        self.lane.commit()
        return tally.result(path, self.lane.first_rejects(entry.id))

    def _batches(self, log: OpenLog, plan: Plan, committed: int) -> Iterator[tuple[Batch, int]]:
        """Yield the parsed pieces in order with the last line of each, a few of them in work at a time."""
        pending: deque[tuple[Future[Batch], int]] = deque()
        reader: Reader | None = None
        for piece in self._ahead(log):
            reader = reader or choose(piece.block(), plan, self.options.assume_tz)
            # A piece that an interrupted run committed is parsed again, for how often its lines occur; one that it
            # committed in part (with blocks of another size) is parsed in two.
            for after, until in ((0, committed), (committed, sys.maxsize)):
                if piece.first_line <= until and piece.last_line > after:
                    job = self.pool.submit(_parsed, piece, after, until, reader)
                    pending.append((job, min(until, piece.last_line)))
            while len(pending) > 4 * self.workers:
                batch, last_line = pending.popleft()
                yield batch.result(), last_line
        while pending:
            batch, last_line = pending.popleft()
            yield batch.result(), last_line

    def _ahead(self, log: OpenLog) -> Iterator[Piece]:
        """Yield the file's pieces, the next of them cut while one is handled."""
        with ThreadPoolExecutor(1, thread_name_prefix="cut") as cutter:
            coming = cutter.submit(next, log.pieces, None)
            while (piece := coming.result()) is not None:
                coming = cutter.submit(next, log.pieces, None)
                yield piece

    def _store(self, batch: Batch, last_line: int, tally: Tally, duplicates: Duplicates) -> None:
        """Write one batch and its ledger entry in one transaction."""
        self.lane.lock(tally.entry.id)
        occurrence, new = duplicates.occurrences(batch.table)
        table = _query_rows(batch.table, tally.entry.id, occurrence)
        stored = table if new.all() else table.filter(pa.array(new))
        self.lane.append("query", stored)
        self.ids.add(stored, batch.ids[new], self._older)
        self.lane.append("reject", _with_file(batch.rejects, tally.entry.id))
        self._name_classes(batch)
        touched = nights.touched(batch.table, self.options.night_starts)
        tally.touched |= touched
        fresh = touched if new.all() else nights.touched(stored, self.options.night_starts)
        self.lane.mark_stale(nights.made_stale(fresh, self.lane.scanned_nights()))
        tally.add(batch, stored, last_line, duplicates.file_range)
        self.lane.update(tally.entry)
        self.lane.commit()

    def _name_classes(self, batch: Batch) -> None:
        """Spell out class codes that the store does not know yet."""
        names = batch.names
        if names is None or not len(names.row):
            return
        models = whole(batch.table["model"]).dictionary_encode()
        model = np.asarray(models.indices)[names.row].astype(np.int64)
        name = np.asarray(names.name.indices).astype(np.int64)
        _, first = np.unique(model * (len(names.name.dictionary) + 1) + name, return_index=True)
        rows = {}
        for at in first:
            key = (models.dictionary[int(model[at])].as_py(), int(names.code[at]))
            if key not in self.classes:
                rows[key] = names.name.dictionary[int(name[at])].as_py().replace("\0", "\\u0000")
        self.classes |= rows.keys()
        columns = (
            pa.array([key[0] for key in rows], pa.string()),
            pa.array([key[1] for key in rows], pa.int64()),
            pa.array(list(rows.values()), pa.string()),
        )
        self.lane.name_classes(pa.table(columns, names=["model", "code", "name"]))


def _stand_back() -> None:
    """Let the writer go first where threads have priorities: everyone waits for it, and it needs a core of its own."""
    with suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BEHIND)


def _parsed(piece: Piece, after: int, until: int, reader: Reader) -> Batch:
    return read_block(piece.block().between(after, until), reader)


def _range(entry: LedgerEntry) -> tuple[int, int] | None:
    return None if entry.min_ts is None or entry.max_ts is None else (entry.min_ts, entry.max_ts)


def _query_rows(table: pa.Table, file_id: int, occurrence: NDArray[np.int32]) -> pa.Table:
    filled = table.append_column("file_id", pa.array(np.full(table.num_rows, file_id, np.int64)))
    filled = filled.append_column("occurrence", pa.array(occurrence, pa.int32()))
    return filled.select(QUERY_COLUMNS)


def _with_file(rejects: pa.Table, file_id: int) -> pa.Table:
    return rejects.add_column(0, "file_id", pa.array(np.full(rejects.num_rows, file_id, np.int64)))
