"""Exit codes: one table, and how the styles fold it."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

ExitStyle = Literal["detector", "plain", "nagios"]


class ExitCode(IntEnum):
    """What the process says to the program that started it."""

    CLEAN = 0
    FAILED = 1
    USAGE = 2
    NOTHING_TO_READ = 3
    DAMAGED = 4
    LOW = 11
    MEDIUM = 12
    HIGH = 13
    CRITICAL = 14


_PLAIN = {
    ExitCode.CLEAN: 0,
    ExitCode.FAILED: 2,
    ExitCode.USAGE: 2,
    ExitCode.NOTHING_TO_READ: 3,
    ExitCode.DAMAGED: 3,
    ExitCode.LOW: 1,
    ExitCode.MEDIUM: 1,
    ExitCode.HIGH: 1,
    ExitCode.CRITICAL: 1,
}
_NAGIOS = {
    ExitCode.CLEAN: 0,
    ExitCode.FAILED: 3,
    ExitCode.USAGE: 3,
    ExitCode.NOTHING_TO_READ: 3,
    ExitCode.DAMAGED: 3,
    ExitCode.LOW: 1,
    ExitCode.MEDIUM: 1,
    ExitCode.HIGH: 2,
    ExitCode.CRITICAL: 2,
}


def fold(code: ExitCode, style: ExitStyle) -> int:
    """Return the number that `code` becomes in `style`; a night that could not be read is clean in none."""
    if style == "plain":
        return _PLAIN[code]
    if style == "nagios":
        return _NAGIOS[code]
    return int(code)
