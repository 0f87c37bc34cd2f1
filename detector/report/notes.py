"""What a run tells the report about itself: files, counts, baselines, what could not be judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detector import __version__

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True)
class FileNote:
    """One log file of the run; read = stored + duplicate + rejected.

    Attributes:
        path: as the user named it.
        status: stored, already stored, failed.
        rejects: reason and count, the commonest first.
        damage: what is wrong with the file as a whole, None where nothing is.
    """

    path: str
    status: str
    read: int
    stored: int
    duplicate: int
    rejected: int
    rejects: tuple[tuple[str, int], ...] = ()
    damage: str | None = None


@dataclass(frozen=True)
class SilentRule:
    """A rule that could not have spoken, and what the log would have to hold for it."""

    rule: str
    title: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class NightNote:
    """What the scan of one night of one model gave besides incidents.

    Attributes:
        queries: of the model in that night.
        judged_by: the state of the baseline, in a sentence.
        not_evaluated: rules that could not have spoken.
        coverage: what was looked for in the log and the share of queries that show it, from 0 to 1.
    """

    model: str
    night: date
    queries: int
    judged_by: str
    not_evaluated: tuple[SilentRule, ...] = ()
    coverage: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class RunNotes:
    """What a run tells about itself; a report written from the store alone has fewer notes.

    Attributes:
        files: the log files of this run.
        nights: the model nights that it scanned.
        exit_code: what the process will say, None where no run made this report.
        version: of the product.
    """

    files: tuple[FileNote, ...] = ()
    nights: tuple[NightNote, ...] = ()
    exit_code: int | None = None
    version: str = field(default=__version__)

    @property
    def read(self) -> int:
        """Queries read from all files."""
        return sum(file.read for file in self.files)

    @property
    def stored(self) -> int:
        """Queries stored from all files."""
        return sum(file.stored for file in self.files)

    @property
    def duplicate(self) -> int:
        """Queries that were known already."""
        return sum(file.duplicate for file in self.files)

    @property
    def rejected(self) -> int:
        """Queries set aside."""
        return sum(file.rejected for file in self.files)

    @property
    def rejects(self) -> tuple[tuple[str, int], ...]:
        """Reasons for setting queries aside over all files, the commonest first."""
        counts: dict[str, int] = {}
        for file in self.files:
            for reason, count in file.rejects:
                counts[reason] = counts.get(reason, 0) + count
        return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
