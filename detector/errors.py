"""The errors of the product: one root, one subclass a stage, each saying where and what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


class DetectorError(Exception):
    """Root of every error that the product raises on purpose.

    Attributes:
        message: what is wrong, in one sentence.
        file: the file concerned, where there is one.
        line: the line in that file, counted from 1.
        expected: what would have been right.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        expected: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.expected = expected

    def __str__(self) -> str:
        where = ""
        if self.file is not None:
            where = f"{self.file}:{self.line}: " if self.line is not None else f"{self.file}: "
        tail = f" (expected {self.expected})" if self.expected else ""
        return f"{where}{self.message}{tail}"


class UsageError(DetectorError):
    """The command line asks for something that cannot be: nothing was touched."""

    exit_code: ClassVar[int] = 2


class ConfigError(DetectorError):
    """A configuration or mapping file cannot be used: nothing was touched."""

    exit_code: ClassVar[int] = 2


class IngestError(DetectorError):
    """A log file could not be brought into the store."""


class NothingToReadError(IngestError):
    """There was no input, or no query in the night asked for."""

    exit_code: ClassVar[int] = 3


class DamagedInputError(IngestError):
    """A file is damaged beyond the share of rejects that the site accepts."""

    exit_code: ClassVar[int] = 4


class StoreError(DetectorError):
    """The database could not be reached, is of another version, or is not whole."""


class FeatureError(DetectorError):
    """A night's windows could not be computed."""


class BaselineError(DetectorError):
    """A baseline could not be learned or loaded."""


class RuleError(DetectorError):
    """A rule cannot be loaded: unknown field, modifier or condition."""

    exit_code: ClassVar[int] = 2


class IncidentError(DetectorError):
    """An incident or suppression could not be found or changed."""

    exit_code: ClassVar[int] = 2


class EvidenceError(DetectorError):
    """Evidence behind an incident could not be gathered."""


class AuditError(DetectorError):
    """A privacy audit cannot be made from what it was given: nothing was touched."""

    exit_code: ClassVar[int] = 2


class ReportError(DetectorError):
    """A report could not be written."""


class CustodyError(DetectorError):
    """An evidence bundle could not be written, or is not one."""


class SimulationError(DetectorError):
    """A drill could not be recorded."""


class EvaluationError(DetectorError):
    """Labels cannot be read or contradict themselves."""

    exit_code: ClassVar[int] = 2
