"""Which incident a group of findings is: the one that it was before, an heir, one that comes back, or a new one."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from detector.incidents.building import merged
from detector.incidents.grouping import Gathered, Group
from detector.incidents.linking import keys_of
from detector.model import IncidentStatus
from detector.store import incidents as rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from sqlalchemy import Connection

    from detector.store.incident_bodies import StoredFinding, StoredIncident


@dataclass(frozen=True)
class Named:
    """Groups that know which incidents they are.

    Attributes:
        groups: the groups.
        emptied: incidents of which nothing is left.
        repointed: merged incidents whose heir is another one now.
    """

    groups: tuple[Group, ...]
    emptied: tuple[StoredIncident, ...]
    repointed: tuple[StoredIncident, ...]


def incident_id(seed: str, attempt: int = 0) -> str:
    """Return the id of an incident that a finding opens; another attempt gives another one."""
    text = f"{seed}#{attempt}" if attempt else seed
    return f"INC-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def identify(
    connection: Connection,
    gathered: Sequence[Gathered],
    opened: Mapping[str, StoredIncident],
    replaced: Sequence[StoredFinding],
) -> Named:
    """Decide which incident each group is.

    An incident goes where its seed goes, or else its first finding; one that lost all goes to the group that says
    something of the same actor in the same night. Of several incidents in one group the oldest is the heir.

    Args:
        connection: an open transaction.
        gathered: the groups.
        opened: the incidents whose findings were taken apart, by id.
        replaced: what was stored of the night before.
    """
    homes = _homes(gathered, opened, replaced)
    claims: list[list[StoredIncident]] = [list(group.whole) for group in gathered]
    for key, index in homes.items():
        claims[index].append(opened[key])
    touched = {*opened, *(one.incident.id for group in gathered for one in group.whole)}
    unclaimed = [group.findings for group, claimants in zip(gathered, claims, strict=True) if not claimants]
    strays = _Strays.among(connection, unclaimed, touched)
    groups = []
    for group, claimants in zip(gathered, claims, strict=True):
        if claimants:
            heir, *parts = sorted(claimants, key=_age)
            groups.append(Group(heir.incident.id, group.findings, heir, tuple(parts)))
        else:
            groups.append(strays.settle(group.findings))
    inherited = rows.load_merged_into(connection, {part.incident.id for group in groups for part in group.parts})
    heirs = {part.incident.id: group.id for group in groups for part in group.parts}
    moved = {key: merged(one, heirs[str(one.incident.heir)]) for key, one in inherited.items()}
    return Named(
        groups=tuple(groups),
        emptied=tuple(opened[key] for key in sorted(set(opened) - set(homes))),
        repointed=tuple({**moved, **strays.repointed}.values()),
    )


def _age(stored: StoredIncident) -> tuple[date, str]:
    return stored.incident.nights[0], stored.incident.id


def _homes(
    gathered: Sequence[Gathered], opened: Mapping[str, StoredIncident], replaced: Iterable[StoredFinding]
) -> dict[str, int]:
    """Return the position of the group that each opened incident lives on in."""
    claims: dict[str, tuple[bool, tuple[date, int, str], int]] = {}
    for index, group in enumerate(gathered):
        for stored in group.findings:
            owner = stored.incident_id
            if owner is not None and owner in opened:
                claim = (stored.finding.id != opened[owner].seed, stored.order, index)
                claims[owner] = min(claim, claims.get(owner, claim))
    homes = {owner: index for owner, (_, _, index) in claims.items()}
    ghosts: dict[str, set[str]] = {}
    for stored in replaced:
        owner = stored.incident_id
        if owner is not None and owner in opened and owner not in homes:
            ghosts.setdefault(owner, set()).update(keys_of(stored))
    if ghosts:
        arrived = _arrivals_by_key(gathered)
        for owner, keys in ghosts.items():
            found = [arrived[key] for key in keys if key in arrived]
            if found:
                homes[owner] = min(found)[1]
    return homes


def _arrivals_by_key(gathered: Sequence[Gathered]) -> dict[str, tuple[tuple[date, int, str], int]]:
    """Return, for each key of a finding that is new, the first such finding and the position of its group."""
    arrived: dict[str, tuple[tuple[date, int, str], int]] = {}
    for index, group in enumerate(gathered):
        for stored in group.findings:
            if stored.incident_id is None:
                for key in keys_of(stored):
                    arrived[key] = min((stored.order, index), arrived.get(key, (stored.order, index)))
    return arrived


@dataclass(frozen=True)
class _Strays:
    """Finds the identity of groups that no living incident claims.

    Attributes:
        connection: an open transaction.
        merged: incidents that were merged into those which the change touches, the oldest first.
        known: the incidents that bear an id which a seed of the groups gives.
        repointed: merged incidents whose heir became another one on the way.
    """

    connection: Connection
    merged: tuple[StoredIncident, ...]
    known: Mapping[str, StoredIncident]
    repointed: dict[str, StoredIncident]

    @classmethod
    def among(
        cls, connection: Connection, unclaimed: Sequence[tuple[StoredFinding, ...]], touched: Collection[str]
    ) -> _Strays:
        """Read at once what all of the groups will ask for."""
        before = rows.load_merged_into(connection, touched).values() if unclaimed else ()
        known = rows.load_by_id(connection, {incident_id(findings[0].finding.id) for findings in unclaimed})
        return cls(connection, tuple(sorted(before, key=_age)), known, {})

    def settle(self, findings: tuple[StoredFinding, ...]) -> Group:
        """Return the group as an incident that stands alone again, one that is found again, or a new one."""
        inside = {stored.finding.id for stored in findings}
        returning = [one for one in self.merged if one.seed in inside]
        if returning:
            first, *others = returning
            self.repointed.update({one.incident.id: merged(one, first.incident.id) for one in others})
            return Group(first.incident.id, findings, first)
        seed = findings[0].finding.id
        key = incident_id(seed)
        known = self.known.get(key)
        attempt = 0
        while known is not None and not known.withdrawn and known.incident.status is not IncidentStatus.MERGED:
            # The seed came back, and its old incident lives on without it.
            attempt += 1
            key = incident_id(seed, attempt)
            known = rows.load_by_id(self.connection, [key]).get(key)
        return Group(key, findings, known)
