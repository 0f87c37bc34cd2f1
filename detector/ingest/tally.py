"""Counting what a file gives, in the ledger's terms and in the caller's."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from detector.ingest import nights
from detector.ingest.options import FileResult, FileStatus, RejectSample

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

    from detector.ingest.reading import Batch
    from detector.store.ingesting import FirstReject, LedgerEntry


@dataclass
class Tally:
    """What one file has given so far, committed batches of earlier runs included.

    Attributes:
        entry: its row of the ledger.
        touched: the nights of its readable queries.
    """

    entry: LedgerEntry
    touched: set[nights.ModelNight] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._rejects: Counter[str] = Counter(json.loads(self.entry.rejects))
        self.touched |= nights.loaded(self.entry.touched)

    def add(self, batch: Batch, stored: pa.Table, last_line: int, span: tuple[int, int] | None) -> None:
        """Count a batch.

        Args:
            batch: its rows and rejects.
            stored: those of its rows that were new.
            last_line: the last line that it covers.
            span: first and last plausible time of the file so far.
        """
        for counted in batch.rejects["reason"].value_counts().to_pylist():
            self._rejects[counted["values"]] += counted["counts"]
        entry, rows, rejected = self.entry, batch.table.num_rows, batch.rejects.num_rows
        first, last = span or (None, None)
        self.entry = replace(
            entry,
            read=entry.read + rows + rejected,
            stored=entry.stored + stored.num_rows,
            duplicate=entry.duplicate + rows - stored.num_rows,
            rejected=entry.rejected + rejected,
            flagged=entry.flagged + int(np.count_nonzero(np.asarray(stored["flags"]))),
            rejects=json.dumps(dict(sorted(self._rejects.items()))),
            lines_committed=last_line,
            batches_committed=entry.batches_committed + 1,
            min_ts=first,
            max_ts=last,
            touched=nights.dumped(self.touched),
        )

    def result(self, path: Path, firsts: Iterable[FirstReject]) -> FileResult:
        """Return what the file gave, all of it read; `firsts` are the first rejects by reason."""
        entry = self.entry
        nothing = entry.stored + entry.duplicate == 0 and (entry.read > 0 or entry.damage is not None)
        return FileResult(
            path=path,
            status=FileStatus.FAILED if nothing else FileStatus.STORED,
            read=entry.read,
            stored=entry.stored,
            duplicate=entry.duplicate,
            rejected=entry.rejected,
            rejects=dict(sorted(self._rejects.items())),
            samples=_samples(firsts),
            flagged=entry.flagged,
            nights=_dates(self.touched),
            damage=entry.damage,
        )


def known(path: Path, entry: LedgerEntry, firsts: Iterable[FirstReject]) -> FileResult:
    """Return what a file gives that is stored already: what reading it again would, every query a duplicate."""
    return FileResult(
        path=path,
        status=FileStatus.ALREADY_STORED,
        read=entry.read,
        duplicate=entry.stored + entry.duplicate,
        rejected=entry.rejected,
        rejects=dict(sorted(json.loads(entry.rejects).items())),
        samples=_samples(firsts),
        nights=_dates(nights.loaded(entry.touched)),
        damage=entry.damage,
    )


def _samples(firsts: Iterable[FirstReject]) -> tuple[RejectSample, ...]:
    return tuple(RejectSample(first.reason, first.line, first.expected) for first in firsts)


def _dates(pairs: Iterable[nights.ModelNight]) -> tuple[tuple[str, date], ...]:
    return tuple(sorted(((m, date.fromisoformat(n)) for m, n in pairs), key=lambda pair: (pair[1], pair[0])))
