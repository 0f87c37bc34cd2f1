"""A store with a recorded attack in it, and incident contexts made by hand."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from sqlalchemy import insert

from detector.config import ModelSettings, Settings
from detector.evidence.context import IncidentContext, Inputs, Queries, Training
from detector.features.schema import ModelSchema
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.model import (
    ATLAS_BY_TECHNIQUE,
    EntityKind,
    Finding,
    Horizon,
    Incident,
    IncidentStatus,
    InputKind,
    Member,
    Segment,
    Severity,
    Technique,
    Trigger,
)
from detector.store import incident_changes as changes
from detector.store import tables
from detector.store.decode import Probabilities
from detector.store.engine import Store
from detector.store.incident_bodies import Event, EventKind, StoredFinding, StoredIncident
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDED = Path(__file__).parents[1] / "golden" / "night"
LOG = "digits.jsonl.gz"
AS_OF = datetime(2026, 11, 14, 2, tzinfo=UTC)
QUIET_NIGHT, NIGHT = date(2026, 11, 12), date(2026, 11, 13)
ATTACKER = "key-7c1f"
CLIMB_QUERIES = 260
MODEL = "digits"
# 2026-11-13 14:00 UTC, when the recorded climb begins
BEGINS = int(datetime(2026, 11, 13, 14, tzinfo=UTC).timestamp()) * 1_000_000
SECOND = 1_000_000


@dataclass(frozen=True)
class AttackedSite:
    """A folder with logs, a store that read them, settings, and the incident."""

    folder: Path
    store: Store
    settings: Settings
    incident: Incident

    def copy(self, folder: Path) -> AttackedSite:
        """Return the same site in another folder, to be changed there."""
        self.store.close()
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return AttackedSite(folder, _store(folder), _settings(folder), self.incident)


def attacked_site(folder: Path) -> AttackedSite:
    """Return a site whose second night holds a recorded climb."""
    for file in (LOG, "train.parquet", "holdout.parquet"):
        shutil.copy(RECORDED / file, folder / file)
    store = _store(folder)
    upgrade(store)
    store.close()
    with contextlib.chdir(folder):
        ingest(store, [Path(LOG)], IngestOptions(as_of=AS_OF))
    incident = climb_incident()
    with store.begin() as connection:
        connection.execute(insert(tables.model_schema).values(**_schema_row(folder)))
        for night in (QUIET_NIGHT, NIGHT):
            connection.execute(insert(tables.night).values(**_night_row(night)))
            connection.execute(insert(tables.window), _windows(night))
        save(connection, incident)
    store.close()
    return AttackedSite(folder, store, _settings(folder), incident)


def save(connection: Any, *incidents: Incident, reasons: Sequence[str] = ("starts at high: climb-1 spoke",)) -> None:
    """Store the incidents of a model with their findings, in place of its findings of the same nights."""
    findings = [StoredFinding(finding, incident_id=one.id) for one in incidents for finding in one.findings]
    rows = [StoredIncident(one, one.status, one.findings[0].id, (), tuple(reasons)) for one in incidents]
    changes.save(connection, rows)
    for night in {one.finding.night for one in findings}:
        stored = [one for one in findings if one.finding.night == night]
        changes.replace_night(connection, incidents[0].model, night, stored)
    at = "2026-11-14T02:00:00.000000Z"
    changes.record(connection, [Event(one.id, at, "scan", EventKind.OPENED, "opened by climb-1") for one in incidents])


def climb_incident(**different: Any) -> Incident:
    """Return the incident of the recorded climb; its finding's stretch is the middle of it."""
    stretch = Segment(BEGINS + 12 * SECOND, BEGINS + 40 * SECOND, "3")
    found = finding(segment=stretch)
    again = finding(id="00000000000000b2", horizon=Horizon.TRAILING, segment=stretch, p=5e-5)
    odd = finding(
        id="00000000000000c3",
        rule="anomaly.tail",
        title="Several features far in their benign tails",
        level=Severity.LOW,
        technique=Technique.PROBING,
        segment=Segment(BEGINS - 5 * 3600 * SECOND, BEGINS + 70 * SECOND, None),
        sentence="Features lie far from those of benign clients.",
    )
    incident = Incident(
        id="INC-0a1b2c3d4e5f",
        status=IncidentStatus.OPEN,
        severity=Severity.HIGH,
        technique=Technique.INVERSION,
        techniques=(Technique.INVERSION,),
        model=MODEL,
        entity_kind=EntityKind.CLIENT,
        entity_id=ATTACKER,
        members=(Member(ATTACKER, (NIGHT,), CLIMB_QUERIES, Severity.HIGH),),
        first_ts=BEGINS,
        last_ts=BEGINS + 63 * SECOND,
        nights=(NIGHT,),
        query_count=CLIMB_QUERIES,
        score=0.99998,
        findings=(found, again, odd),
        atlas=ATLAS_BY_TECHNIQUE[Technique.INVERSION],
        summary="Client key-7c1f climbed towards class 3 of digits.",
    )
    return replace(incident, **different)


def finding(**different: Any) -> Finding:
    """Return a finding of the recorded climb."""
    base = Finding(
        id="00000000000000a1",
        rule="climb-1",
        title="Confidence climb whose next query depends on the last answer",
        level=Severity.HIGH,
        technique=Technique.INVERSION,
        model=MODEL,
        entity_kind=EntityKind.CLIENT,
        entity_id=ATTACKER,
        horizon=Horizon.NIGHT,
        night=NIGHT,
        clients=(ATTACKER,),
        trigger=(
            Trigger("confidence_ascent", 0.9341, 0.45, 4.12),
            Trigger("near_duplicate_ratio", 0.83, 0.2, 4.27),
        ),
        sentence="The probability of class 3 climbed, and what was asked next depended on the last answer.",
        query_count=CLIMB_QUERIES,
        segment=Segment(BEGINS, BEGINS + 63 * SECOND, "3"),
        atlas=ATLAS_BY_TECHNIQUE[Technique.INVERSION],
        p=2e-5,
        baseline="digits@1",
    )
    return replace(base, **different)


def _store(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'detector.db'}")


def _settings(folder: Path) -> Settings:
    model = ModelSettings(
        sensitivity="biometric",
        image_shape=(8, 8),
        training_sample=folder / "train.parquet",
        holdout_sample=folder / "holdout.parquet",
    )
    return Settings(models={MODEL: model})


def _night_row(night: date) -> dict[str, Any]:
    return {
        "model": MODEL,
        "night": night.isoformat(),
        "query_count": 72 if night == QUIET_NIGHT else 346,
        "stale": False,
        "baseline_id": None if night == QUIET_NIGHT else "digits@1",
        "schema_version": 1,
        "coverage": json.dumps({"inputs": 1.0, "labels": 1.0}),
        "scanned_at": AS_OF.isoformat(),
    }


def _schema_row(folder: Path) -> dict[str, Any]:
    """Return what a scan would have learned of the inputs, in units that do not stretch them."""
    rows = pq.read_table(folder / "holdout.parquet").column("input_vector").to_pylist()
    reference = np.array(rows, dtype=np.float32)
    size = reference.shape[1]
    schema = ModelSchema(
        model=MODEL, version=1, night=QUIET_NIGHT.isoformat(), kind=InputKind.VECTOR, length=size, dimension=size,
        classes=(), positions=(), fields=(), scale=np.ones(size, dtype=np.float32), reference=reference,
    )  # fmt: skip
    told = {"model": MODEL, "version": 1, "night": QUIET_NIGHT.isoformat()}
    return {**told, "body": schema.body(), "arrays": schema.arrays()}


def _windows(night: date) -> list[dict[str, Any]]:
    """Return windows with a few features, as a scan would: the attacker's last."""
    rows = []
    for i in range(9):
        features = {"confidence_ascent": 0.05 * i - 0.2, "query_entropy": 1.0, "near_duplicate_ratio": 0.0}
        rows.append(_window(night, f"shop-{i}", 8, features))
    attack = {"confidence_ascent": 0.9341, "query_entropy": 0.21, "near_duplicate_ratio": 0.83}
    tails = {"confidence_ascent_tail": 4.12, "query_entropy_tail": 1.7, "near_duplicate_ratio_tail": 4.27}
    quiet = {"confidence_ascent": None, "query_entropy": 1.0, "near_duplicate_ratio": 0.0}
    features = quiet if night == QUIET_NIGHT else {**attack, **tails}
    return [*rows, _window(night, ATTACKER, 14 if night == QUIET_NIGHT else CLIMB_QUERIES, features)]


def _window(night: date, client: str, count: int, features: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": MODEL,
        "night": night.isoformat(),
        "horizon": Horizon.NIGHT.value,
        "entity_kind": EntityKind.CLIENT.value,
        "entity_id": client,
        "query_count": count,
        "first_ts": BEGINS,
        "last_ts": BEGINS,
        "clients": None,
        "features": json.dumps(features),
        "state": None,
    }


def queries(
    probabilities: Any = None,
    *,
    classes: tuple[str, ...] = (),
    count: int | None = None,
    **columns: Any,
) -> Queries:
    """Return queries made by hand, a second apart, of one client unless `columns` say otherwise."""
    values = np.empty((count or 0, 0)) if probabilities is None else np.asarray(probabilities, dtype=np.float32)
    total = len(values)
    labels = [classes[int(np.argmax(row))] for row in np.nan_to_num(values, nan=-1.0)] if classes else [None] * total
    given: dict[str, Any] = {
        "id": np.arange(1, total + 1),
        "ts": BEGINS + SECOND * np.arange(total),
        "client": np.array([ATTACKER] * total, dtype=object),
        "file_id": np.ones(total, dtype=np.int64),
        "line": np.arange(1, total + 1),
        "row_index": np.zeros(total, dtype=np.int64),
        "endpoint": np.array(["predict"] * total, dtype=object),
        "operation": np.array(["predict"] * total, dtype=object),
        "status": np.full(total, 200.0),
        "label": np.array(labels, dtype=object),
        "confidence": np.full(total, np.nan) if not classes else np.fmax.reduce(values, axis=1).astype(np.float64),
        "input_kind": np.full(total, int(InputKind.VECTOR)),
        "input_bytes": np.full(total, 8),
    }
    given.update(columns)
    return Queries(**given, probabilities=Probabilities(values, classes))


def inputs(vectors: Any) -> Inputs:
    """Return vector inputs of all queries."""
    matrix = np.asarray(vectors, dtype=np.float32)
    return Inputs(np.arange(len(matrix)), InputKind.VECTOR, matrix)


def no_inputs(kind: InputKind = InputKind.NONE) -> Inputs:
    """Return what is held where the log shows no inputs."""
    return Inputs(np.empty(0, dtype=np.int64), kind, np.empty((0, 0), dtype=np.float32))


def context(**different: Any) -> IncidentContext:
    """Return a context in which nothing is known."""
    asked = different.pop("queries", None)
    held = queries() if asked is None else asked
    given: dict[str, Any] = {
        "incident": climb_incident(),
        "settings": ModelSettings(),
        "queries": held,
        "query_total": len(held),
        "inputs": no_inputs(),
        "classes": held.probabilities.classes,
        "pursuits": (),
        "patterns": np.array(["query of the search"] * len(held), dtype=object),
        "files": (),
        "before": None,
        "peers": None,
        "timeline": None,
        "portraits": (),
        "training": Training(),
        "baseline": None,
        "coverage": (),
    }
    return IncidentContext(**{**given, **different})
