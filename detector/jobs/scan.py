"""One night of one model: measured, judged, and written in one transaction."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.baseline import service as baselines
from detector.detect import learned
from detector.detect.anomaly import anomalies
from detector.detect.pooled import attribute_networks
from detector.detect.rules import QueryMatcher, evaluate_correlations, evaluate_windows
from detector.features.reference import contacts_of
from detector.features.scan import measure
from detector.features.windows import rounded, rows_of, trailing_nights
from detector.incidents.service import apply
from detector.model import EntityKind, Horizon, MixedWindows, Windows
from detector.store import scanning, window_rows
from detector.store.baselines import list_baselines
from detector.store.incidents import load_findings
from detector.store.tables import finding as finding_table
from detector.warming import SCAN, warming

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection

    from detector.baseline.model import Baseline
    from detector.config import Settings
    from detector.detect.rules import NotEvaluated, RuleSet
    from detector.features.scan import NightBounds, ScannedNight
    from detector.features.windows import NightStates
    from detector.model import Finding, Incident
    from detector.store.engine import Store
    from detector.store.window_rows import WindowRow

# One window in 2,000 is about one a night for a model of this size; an anomaly alone is low.
ANOMALY_BUDGET = 5e-4


@dataclass(frozen=True)
class Coverage:
    """What share of a night's queries shows each thing that detection looks at, from 0 to 1."""

    inputs: float
    labels: float
    scores_known: float
    statuses: float

    @classmethod
    def of(cls, own: NightStates) -> Coverage:
        """Read the shares from the night's states, clients only."""
        rows = [position for position, kind in enumerate(own.kinds) if kind is EntityKind.CLIENT]
        mine = own.states.take(np.array(rows, dtype=np.int64))
        total = max(float(mine["queries"].sum()), 1.0)
        return cls(
            inputs=float(mine["hashed"].sum()) / total,
            labels=float(mine["label_counts"].sum()) / total,
            scores_known=float((mine["scored"] + mine["unscored"]).sum()) / total,
            statuses=float(mine["statuses"].sum()) / total,
        )


@dataclass(frozen=True)
class ScanOutcome:
    """What a scan of one night of one model gave."""

    model: str
    night: date
    queries: int
    findings: tuple[Finding, ...]
    incidents: tuple[Incident, ...]
    not_evaluated: tuple[NotEvaluated, ...]
    judged_by: str
    coverage: Coverage


def scan_night(
    store: Store, model: str, bounds: NightBounds, settings: Settings, rules: RuleSet, as_of: datetime
) -> ScanOutcome:
    """Measure and judge one night, and store windows, findings and incidents together.

    A second scan of the same night gives the same tables.

    Raises:
        DetectorError: the store, a rule or a reference file is not usable; nothing was written.
    """
    matcher = QueryMatcher(rules, model, bounds.night)
    with warming() as warm:
        if _may_have_baseline(store, model):
            warm(*SCAN)
        scanned = measure(
            store,
            model,
            bounds,
            settings,
            contacts_of=lambda schema: contacts_of(schema, settings.models.get(model)),
            watch=matcher.update if matcher.columns else None,
            watch_columns=matcher.columns,
        )
    coverage = Coverage.of(scanned.own)
    with store.begin() as connection:
        baselines.learn_provisional(connection, model, bounds.night, as_of)
        standing = baselines.standing(connection, model, bounds.night)
        windows = with_tails(scanned.windows, standing.baseline)
        by_window = evaluate_windows(rules, windows)
        by_query = matcher.result()
        with ThreadPoolExecutor(1, thread_name_prefix="beside") as beside:
            alike = beside.submit(learned.resemblances, windows, standing.baseline)
            rows = beside.submit(rows_of, windows, scanned.own)
            odd = anomalies(windows, standing.baseline, budget=ANOMALY_BUDGET) if standing.baseline else ()
        pooled = attribute_networks(
            _compared(by_window.findings, windows, scanned.mixed, alike.result()),
            lambda s, who: scanning.count_by_client(connection, model, s.first_ts, s.last_ts, who),
        )
        findings = (*pooled, *by_query.findings, *odd)
        past = _earlier_findings(connection, model, bounds.night)
        findings += evaluate_correlations(rules, _unexplained([*past, *findings], rules), bounds.night).findings
        if scanned.is_new_schema:
            s = scanned.schema
            scanning.add_schema(connection, scanning.StoredSchema(s.model, s.version, s.night, s.body(), s.arrays()))
        _write(connection, scanned, rows.result(), standing.baseline, coverage, as_of)
        incidents = apply(
            connection, model=model, night=bounds.night, findings=findings, settings=settings, as_of=as_of
        )
    silent = (*by_window.not_evaluated, *by_query.not_evaluated)
    return ScanOutcome(model, bounds.night, scanned.queries, findings, incidents, silent, standing.sentence, coverage)


def _compared(
    findings: Sequence[Finding], windows: Windows, mixed: MixedWindows | None, alike: Sequence[learned.Resemblance]
) -> tuple[Finding, ...]:
    """Return what rules found and what is learned, the one seen in the light of the other."""
    hidden = learned.covered(mixed, alike) if mixed is not None else ()
    return (*learned.lowered(findings, alike), *learned.suspects(windows, alike), *hidden)


def _may_have_baseline(store: Store, model: str) -> bool:
    """Whether anomaly detectors can have anything to judge by; their libraries take two seconds to load."""
    with store.begin() as connection:
        return bool(list_baselines(connection, model)) or len(scanning.scanned_nights(connection, model)) > 1


def with_tails(windows: Windows, baseline: Baseline | None) -> Windows:
    """Return `windows` with a `<feature>_tail` column for each feature; unchanged without a baseline.

    The baseline describes clients: the pooled stream of a network has other tails, and gets none.
    """
    if baseline is None:
        return windows
    clients = windows.frame[windows.frame["entity_kind"] == EntityKind.CLIENT.value]
    parts = [baseline.tails(clients[clients["horizon"] == horizon.value], horizon) for horizon in Horizon]
    frame = windows.frame.join(rounded(pd.concat(parts)))
    return Windows(windows.model, windows.night, frame, baseline.id)


def _earlier_findings(connection: Connection, model: str, night: date) -> list[Finding]:
    """Return the findings of the six nights before, which correlations look back on."""
    names = [name for name in trailing_nights(night) if name != night.isoformat()]
    column = finding_table.c
    return [stored.finding for stored in load_findings(connection, column.model == model, column.night.in_(names))]


def _unexplained(findings: Sequence[Finding], rules: RuleSet) -> list[Finding]:
    """Return what correlations may build on: a finding that a benign workload explains is part of no attack."""
    level = {rule.id: rule.level for rule in rules.rules}
    return [finding for finding in findings if finding.level.rank >= level.get(finding.rule, finding.level).rank]


def _write(
    connection: Connection,
    scanned: ScannedNight,
    rows: Sequence[WindowRow],
    baseline: Baseline | None,
    coverage: Coverage,
    as_of: datetime,
) -> None:
    model, night = scanned.windows.model, scanned.windows.night.isoformat()
    window_rows.replace_windows(connection, model, night, rows)
    row = scanning.NightRow(
        model=model,
        night=night,
        query_count=scanned.queries,
        stale=False,
        baseline_id=baseline.id if baseline else None,
        schema_version=scanned.schema.version,
        coverage=json.dumps(asdict(coverage), sort_keys=True),
        scanned_at=as_of.isoformat(),
    )
    scanning.replace_night(connection, row)
