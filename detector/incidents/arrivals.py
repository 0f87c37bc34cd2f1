"""What is decided about a night's findings when they come in: once, and from that night alone."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from detector.errors import IncidentError
from detector.incidents.grouping import in_order
from detector.incidents.linking import clients_with_findings, joins_clients
from detector.model import EntityKind, Finding, Horizon
from detector.store.incident_bodies import StoredFinding, finding_body, read_finding
from detector.store.incidents import window_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from sqlalchemy import Connection


def prepare(connection: Connection, model: str, night: date, findings: Iterable[Finding]) -> tuple[StoredFinding, ...]:
    """Return a night's findings in order, without repetitions, with what linking and counting need to know of them.

    Raises:
        IncidentError: one of them is of another model or night.
    """
    by_id: dict[str, Finding] = {}
    for finding in findings:
        if (finding.model, finding.night) != (model, night):
            raise IncidentError(
                f"finding {finding.id} is of {finding.model!r} in the night {finding.night}",
                expected=f"{model!r}, {night}",
            )
        known = by_id.get(finding.id)
        by_id[finding.id] = finding if known is None else max(known, finding, key=_weight)
    unique = list(by_id.values())
    named = clients_with_findings(unique)
    shares = _shares(connection, model, night, unique)
    made = [StoredFinding(one, joins_clients(one, named), shares.get(one.id, ())) for one in unique]
    # What is worked on is what will be read back, so that a later scan of another night sees the same.
    return in_order([read_finding(finding_body(one), None, None) for one in made])


def _weight(finding: Finding) -> tuple[int, str]:
    return finding.level.rank, finding_body(StoredFinding(finding))


def _shares(
    connection: Connection, model: str, night: date, findings: Sequence[Finding]
) -> dict[str, tuple[tuple[str, int], ...]]:
    """Return, for findings about pools, how many of the queries each client sent.

    The clients' own windows of the night say it exactly; where there is none, the client is given an equal part.
    """
    pooled = [one for one in findings if one.entity_kind is not EntityKind.CLIENT and one.clients]
    clients: dict[Horizon, set[str]] = defaultdict(set)
    for finding in pooled:
        clients[finding.horizon].update(finding.clients)
    counts = {horizon: window_counts(connection, model, night, horizon, names) for horizon, names in clients.items()}
    return {
        finding.id: tuple(
            (client, counts[finding.horizon].get(client, -(-finding.query_count // len(finding.clients))))
            for client in finding.clients
        )
        for finding in pooled
    }
