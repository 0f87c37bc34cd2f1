"""Which stored incidents the findings of a night reach, and what groups they make together."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from detector.incidents.grouping import Gathered, in_order
from detector.incidents.linking import MAX_GAP_NIGHTS, Node, node_of, together
from detector.store import incidents as rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from detector.store.incident_bodies import StoredFinding, StoredIncident


def gather(
    connection: Connection, model: str, loose: Sequence[StoredFinding], opened: Collection[str]
) -> list[Gathered]:
    """Return the groups that findings make with each other and with stored incidents, by their first finding.

    Args:
        connection: an open transaction.
        model: the served model.
        loose: single findings: the night's, and those of incidents that the night took apart.
        opened: the ids of these incidents.
    """
    nodes = [node_of(one) for one in loose]
    if not nodes:
        return []
    near: list[StoredIncident] = []
    reached, looked = nodes, None
    while (span := _span(reached)) != looked:
        # What joined goes further back or on than what it joined: there may be more within reach of it.
        near, looked = _near(connection, model, *span, opened), span
        every = nodes + [_node(one) for one in near]
        groups = [group for group in together(every) if group[0] < len(nodes)]
        reached = [every[index] for group in groups for index in group]
    wholes = [[near[index - len(nodes)] for index in group if index >= len(nodes)] for group in groups]
    found = _findings_by_incident(connection, [one.incident.id for whole in wholes for one in whole])
    gathered = [
        Gathered(
            in_order(
                [loose[index] for index in group if index < len(nodes)]
                + [stored for one in whole for stored in found[one.incident.id]]
            ),
            tuple(whole),
        )
        for group, whole in zip(groups, wholes, strict=True)
    ]
    return sorted(gathered, key=lambda group: group.findings[0].order)


def _span(nodes: Sequence[Node]) -> tuple[int, int]:
    return min(node.first for node in nodes), max(node.last for node in nodes)


def _near(connection: Connection, model: str, first: int, last: int, opened: Collection[str]) -> list[StoredIncident]:
    reach = timedelta(days=MAX_GAP_NIGHTS)
    found = rows.load_near(connection, model, date.fromordinal(first) - reach, date.fromordinal(last) + reach)
    return [one for key, one in found.items() if key not in opened]


def _node(stored: StoredIncident) -> Node:
    nights = stored.incident.nights
    return Node(nights[0].toordinal(), nights[-1].toordinal(), stored.keys)


def _findings_by_incident(connection: Connection, ids: Collection[str]) -> dict[str, list[StoredFinding]]:
    found: dict[str, list[StoredFinding]] = {key: [] for key in ids}
    for stored in rows.findings_of(connection, ids):
        found[str(stored.incident_id)].append(stored)
    return found
