"""A small drill with one real inversion in its second night, and the store that judging it gives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from evaluation_making import AS_OF, Judged

# The page is checked by what checks the reports.
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from detector.config import Settings
from detector.evaluate.labels import read_labels
from detector.evaluate.service import scanned_files
from detector.ingest.options import IngestOptions
from detector.redteam.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drill")
    simulate(folder, nights=2)
    return folder


@pytest.fixture(scope="session")
def judged(drill: Path) -> Iterator[Judged]:
    labels = read_labels(drill / "labels.csv")
    logs = sorted(drill.glob("*.jsonl.gz"))
    with scanned_files(logs, Settings(), IngestOptions(as_of=AS_OF), AS_OF) as (store, settings):
        yield Judged(drill, labels, store, settings)
