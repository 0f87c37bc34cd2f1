"""The record of finished runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import insert

from detector import __version__
from detector.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection


def record_run(
    connection: Connection, command: str, as_of: datetime, nights: Sequence[tuple[str, date]], exit_code: int
) -> None:
    """Record a run that came to its end; one that was killed leaves no row, as it leaves no half result."""
    pairs = [[model, night.isoformat()] for model, night in nights]
    connection.execute(
        insert(t.run).values(
            command=command,
            version=__version__,
            started_at=as_of.isoformat(),
            finished_at=as_of.isoformat(),
            nights=json.dumps(pairs),
            exit_code=exit_code,
        )
    )
