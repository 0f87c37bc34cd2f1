"""Why a client is, or is not, suspicious: its windows against its own history, its peers and the baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from detector.errors import UsageError
from detector.features.registry import FEATURES
from detector.model import EntityKind, Horizon, Severity
from detector.store import scanning, window_rows
from detector.store.incidents import list_incidents, load_findings
from detector.store.tables import finding as finding_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from detector.features.registry import FeatureSpec
    from detector.model import Finding, Incident
    from detector.store.window_rows import WindowRow


@dataclass(frozen=True)
class Measured:
    """One feature of the client's window.

    Attributes:
        spec: what the feature means.
        value: what was measured, None where the log could not tell.
        own: median over the client's other nights.
        peers: share of the model's other clients of that night with a smaller value, 0 to 1.
        tail: minus log10 of its tail probability under the baseline.
        others: the values of those other clients, ascending.
    """

    spec: FeatureSpec
    value: float | None
    own: float | None
    peers: float | None
    tail: float | None
    others: NDArray[np.float64]

    @property
    def surprise(self) -> float:
        """How far out the value is, in decades: by the baseline, else among peers."""
        if self.value is None:
            return -1.0
        if self.tail is not None:
            return self.tail
        if self.peers is None:
            return 0.0
        share = {"high": 1 - self.peers, "low": self.peers, "both": 2 * min(self.peers, 1 - self.peers)}[
            self.spec.suspicious
        ]
        return float(-np.log10(max(share, 1e-3)))


@dataclass(frozen=True)
class ClientNight:
    """One night of the client on the model: its queries, and the gravest that was said of it, None for nothing."""

    night: date
    query_count: int
    gravest: Severity | None


@dataclass(frozen=True)
class Explanation:
    """A client's night on a model.

    Attributes:
        client, model, night: whom and what it is about.
        query_count: queries of the night.
        history: every night that is stored of it, oldest first.
        judged_by: id of the baseline, None for rules alone.
        features: every feature, the most surprising first.
        findings: what rules and detectors said of this client that night.
        incidents: the incidents that the client is part of.
    """

    client: str
    model: str
    night: date
    query_count: int
    history: tuple[ClientNight, ...]
    judged_by: str | None
    features: tuple[Measured, ...]
    findings: tuple[Finding, ...]
    incidents: tuple[Incident, ...]


def explain(connection: Connection, client: str, model: str | None, night: date | None) -> tuple[Explanation, ...]:
    """Explain a client's nights.

    Args:
        connection: an open transaction.
        client: its id.
        model: on this model only.
        night: of this night only; None explains the newest night of each model.

    Raises:
        UsageError: the store holds no such window.
    """
    found = []
    for name in window_rows.window_models(connection, client):
        if model is not None and name != model:
            continue
        nights = window_rows.window_nights(connection, name, client)
        wanted = [n for n in nights if night is None or n == night.isoformat()]
        if wanted:
            found.append(_explain(connection, client, name, wanted[-1], nights))
    if not found:
        what = f"client {client!r}" + (f" on model {model!r}" if model else "") + (f" in {night}" if night else "")
        raise UsageError(f"no window of {what} is stored", expected="a client of a scanned night")
    return tuple(found)


def _explain(connection: Connection, client: str, model: str, name: str, nights: list[str]) -> Explanation:
    rows = window_rows.load_windows(connection, model, [name], Horizon.NIGHT)
    clients = {row.entity_id: row for _, row in rows if row.entity_kind == EntityKind.CLIENT}
    mine = clients.pop(client)
    own = window_rows.load_windows(connection, model, nights, Horizon.NIGHT, client)
    findings = [
        stored.finding
        for stored in load_findings(connection, finding_table.c.model == model)
        if client in stored.finding.clients
    ]
    scanned = next(row for row in scanning.scanned_nights(connection, model) if row.night == name)
    before = [row for night, row in own if night != name]
    measured = [_measured(spec, mine, before, list(clients.values())) for spec in FEATURES]
    return Explanation(
        client=client,
        model=model,
        night=date.fromisoformat(name),
        query_count=mine.query_count,
        history=tuple(_client_night(night, row, findings) for night, row in own),
        judged_by=scanned.baseline_id,
        features=tuple(sorted(measured, key=lambda one: -one.surprise)),
        findings=tuple(one for one in findings if one.night.isoformat() == name),
        incidents=tuple(one for one in list_incidents(connection, model=model) if client in one.clients),
    )


def _client_night(night: str, row: WindowRow, findings: list[Finding]) -> ClientNight:
    said = [one.level for one in findings if one.night.isoformat() == night]
    return ClientNight(date.fromisoformat(night), row.query_count, max(said, key=lambda one: one.rank, default=None))


def _measured(spec: FeatureSpec, mine: WindowRow, history: list[WindowRow], peers: list[WindowRow]) -> Measured:
    value = _values(mine).get(spec.name)
    before = [v for row in history if (v := _values(row).get(spec.name)) is not None]
    beside = np.array([v for row in peers if (v := _values(row).get(spec.name)) is not None])
    share = None
    if value is not None and len(beside):
        share = float((beside < value).mean() + 0.5 * (beside == value).mean())
    own = float(np.median(before)) if before else None
    return Measured(spec, value, own, share, _values(mine).get(f"{spec.name}_tail"), np.sort(beside))


def _values(row: WindowRow) -> Mapping[str, float]:
    told: dict[str, float] = json.loads(row.features)
    return told | {"query_count": float(row.query_count)}
