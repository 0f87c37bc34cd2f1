"""This product on the same logs: its incidents, as something that says a number about every client-night."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from detector.config import Settings, load_settings
from detector.evaluate.matching import EPOCH
from detector.features.scan import NightBounds
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.jobs.nightly import scan_nights, site_rules
from detector.model import IncidentStatus, Severity
from detector.store.engine import Store
from detector.store.incidents import list_incidents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

NAME = "inversion-detector"
_AS_OF = datetime(2030, 1, 1, tzinfo=UTC)
_UNHEARD = frozenset({IncidentStatus.SUPPRESSED, IncidentStatus.MERGED})


@dataclass(frozen=True)
class Product:
    """What the nightly job made of a folder's logs.

    Attributes:
        named: a row a client-night in an incident: `model`, `client`, `night` (day number), `level` (0 low to 3
            critical, of the gravest incident there), `reading` (the largest score of an incident there).
        reading_seconds: ingest into the database.
        judging_seconds: features, baseline, rules, anomaly detectors, campaigns, incidents.
    """

    named: pd.DataFrame
    reading_seconds: float
    judging_seconds: float


def run_product(folder: Path) -> Product:
    """Judge a folder's nights as the nightly job does, with the folder's own detector.toml."""
    config = folder / "detector.toml"
    settings = load_settings(config) if config.exists() else Settings()
    with TemporaryDirectory(prefix="peers-") as scratch:
        store = Store(f"sqlite:///{Path(scratch) / 'peers.db'}")
        own = settings.model_copy(update={"db": store.url})
        begun = time.perf_counter()
        reading = IngestOptions(night_starts=own.night_starts, as_of=_AS_OF)
        files = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
        found = ingest(store, files, reading)
        read = time.perf_counter()
        nights = sorted(found.nights, key=lambda pair: (pair[1], pair[0]))
        bounds = [(model, NightBounds.of(night, own.night_starts)) for model, night in nights]
        scan_nights(store, bounds, own, site_rules(own), _AS_OF)
        judged = time.perf_counter()
        with store.begin() as connection:
            named = pd.DataFrame(_named(connection), columns=["model", "client", "night", "level", "reading"])
        store.close()
    gravest = named.groupby(["model", "client", "night"], as_index=False).max()
    return Product(gravest, read - begun, judged - read)


def _named(connection: Connection) -> Iterator[tuple[str, str, int, int, float]]:
    for one in list_incidents(connection, severity_at_least=Severity.LOW):
        if one.status not in _UNHEARD and one.findings:
            for member in one.members:
                for night in member.nights:
                    yield one.model, member.client, night.toordinal() - EPOCH, one.severity.rank, one.score
