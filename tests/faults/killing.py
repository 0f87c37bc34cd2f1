"""Runs the command line and kills itself, for real, at a chosen moment.

Usage: python killing.py POINT COUNT_FILE ARGUMENT...

A moment is just before or just after something becomes lasting: a bulk commit, a statement commit, a file put in its
place. POINT numbers these moments from 0; -1 kills at none. The number of moments that came is written to COUNT_FILE,
a line each with what it was.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import Any

from adbc_driver_manager import dbapi
from sqlalchemy.engine import Transaction

POINT = int(sys.argv[1])
COUNT = open(sys.argv[2], "w")  # noqa: PTH123, SIM115 - stays open until the process dies
NUMBERS = itertools.count()


def moment(what: str) -> None:
    COUNT.write(what + "\n")
    COUNT.flush()
    if next(NUMBERS) == POINT:
        os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str, what: str) -> None:
    """Put a moment before and after every call of `owner.name`."""
    real = getattr(owner, name)

    def called(*arguments: Any, **named: Any) -> Any:
        moment(f"before {what}")
        result = real(*arguments, **named)
        moment(f"after {what}")
        return result

    setattr(owner, name, called)


def main() -> None:
    around(dbapi.Connection, "commit", "bulk commit")
    around(Transaction, "commit", "statement commit")
    around(os, "replace", "file")
    sys.argv = ["detector", *sys.argv[3:]]
    from detector.cli import main as command

    command()


if __name__ == "__main__":
    main()
