"""What ingest is asked for, and what it answers: frozen types, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from detector.ingest.mapping import Mapping

MIB = 1 << 20


class LogFormat(StrEnum):
    """The containers that a log can come in."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class FileStatus(StrEnum):
    """What became of a file."""

    STORED = "stored"
    ALREADY_STORED = "already_stored"
    FAILED = "failed"


@dataclass(frozen=True)
class IngestOptions:
    """How to read log files.

    Attributes:
        format: the container; None looks at the content.
        mapping: where the fields lie in another layout; None reads the generic log.
        assume_tz: IANA zone for times that name none; None rejects these.
        night_starts: UTC time of day at which a night begins.
        as_of: the present, for the ledger's `ingested_at`; the library reads no clock of its own.
        block_bytes: how much text is parsed at a time.
        max_line_bytes: a longer line is rejected unread.
    """

    format: LogFormat | None = None
    mapping: Mapping | None = None
    assume_tz: str | None = None
    night_starts: time = time(0)
    as_of: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    block_bytes: int = 16 * MIB
    max_line_bytes: int = 32 * MIB

    @property
    def container(self) -> LogFormat | None:
        """The container as the caller or the mapping names it; None looks at the content."""
        return self.format or (self.mapping.log_format if self.mapping is not None else None)


class Progress(Protocol):
    """Told how far a file is."""

    def __call__(self, path: Path, done: int, size: int) -> None:
        """Take note that `done` of the `size` bytes that `path` has on the disk are done."""
        ...


@dataclass(frozen=True)
class RejectSample:
    """The first reject of its reason in a file, to show where to look."""

    reason: str
    line: int
    expected: str


@dataclass(frozen=True)
class FileResult:
    """What one file gave; the counts are queries, and read = stored + duplicate + rejected.

    Attributes:
        path: as it was given or found.
        status: stored, already stored (by this or an earlier run; nothing was parsed), or failed (nothing readable).
        rejects: reason to count.
        samples: the first reject of each reason.
        flagged: stored queries of which something could not be read as it should.
        nights: (model, night) of every readable query, whether stored now or before.
        damage: why the file could not be read to its end, where that is so.
    """

    path: Path
    status: FileStatus
    read: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    samples: tuple[RejectSample, ...] = ()
    flagged: int = 0
    nights: tuple[tuple[str, date], ...] = ()
    damage: str | None = None

    def damaged(self, max_rejects: float) -> bool:
        """Whether the file broke off, held nothing readable, or lost a greater share than `max_rejects`."""
        if self.damage is not None or self.status is FileStatus.FAILED:
            return True
        return self.rejected > 0 and (self.rejected == self.read or self.rejected > max_rejects * self.read)


@dataclass(frozen=True)
class SkippedFile:
    """A file that lay in a folder among logs and is none."""

    path: Path
    reason: str


@dataclass(frozen=True)
class IngestResult:
    """What all files gave, in the order in which they were read."""

    files: tuple[FileResult, ...]
    skipped: tuple[SkippedFile, ...] = ()

    @property
    def read(self) -> int:
        """Queries read."""
        return sum(file.read for file in self.files)

    @property
    def stored(self) -> int:
        """Queries stored by this run."""
        return sum(file.stored for file in self.files)

    @property
    def duplicate(self) -> int:
        """Queries that the store already held."""
        return sum(file.duplicate for file in self.files)

    @property
    def rejected(self) -> int:
        """Queries set aside."""
        return sum(file.rejected for file in self.files)

    @property
    def rejects(self) -> dict[str, int]:
        """Reason to count, over all files."""
        totals: dict[str, int] = {}
        for file in self.files:
            for reason, count in file.rejects.items():
                totals[reason] = totals.get(reason, 0) + count
        return dict(sorted(totals.items()))

    @property
    def nights(self) -> tuple[tuple[str, date], ...]:
        """Every (model, night) that the files touch, sorted."""
        return tuple(sorted({pair for file in self.files for pair in file.nights}, key=lambda p: (p[1], p[0])))

    def damaged(self, max_rejects: float) -> tuple[FileResult, ...]:
        """Return the files that are damaged beyond the share `max_rejects`."""
        return tuple(file for file in self.files if file.damaged(max_rejects))
