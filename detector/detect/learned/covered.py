"""Attacks among ordinary queries: of a client that does two things, one is like an attack, the other like customers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from detector.detect.learned.judging import findings_of
from detector.detect.learned.resemblance import resemblances
from detector.hashing import short_id
from detector.model import RESEMBLANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.detect.learned.resemblance import Resemblance
    from detector.model import Finding, MixedWindows

TITLE = "Behaves like an attack among ordinary queries"
# An explainer, a tuner or a video too has queries off the manifold, which by themselves look like a search. What tells
# cover is the rest: it is what customers ask, and theirs are variations of the same.
_COVER = 0.05
_ATTACK = 0.6
# Where customers' own records are near copies of one another, a long thread of them is chance, and sets nothing apart;
# inputs off the manifold do all the same.
_OWN_KIN = 0.3
_ELSEWHERE = 0.5


def covered(mixed: MixedWindows, known: Sequence[Resemblance]) -> tuple[Finding, ...]:
    """Return a finding for each client whose ordinary queries cover what resembles an attack.

    Args:
        mixed: the two parts of clients that do two things.
        known: what their whole windows resemble; who is suspicious by that is not told twice.
    """
    cover = {one.window for one in resemblances(mixed.rest, None) if one.ordinary >= _COVER}
    cover -= {one.window for one in known if one.suspicious}
    distinct = _distinct(mixed)
    alike = [one for one in resemblances(mixed.apart, None) if one.attack >= _ATTACK and one.window in cover]
    chosen = [one for one in alike if one.window[1] in distinct]
    whole = mixed.rest.frame.set_index("entity_id")["query_count"]
    return tuple(_told(finding, int(whole[finding.entity_id])) for finding in findings_of(mixed.apart, chosen))


def _distinct(mixed: MixedWindows) -> frozenset[str]:
    """Return the clients whose two parts differ by more than chance."""
    off = mixed.apart.frame.set_index("entity_id")["off_manifold_ratio"]
    own = mixed.rest.frame.set_index("entity_id")["kin_ratio"]
    return frozenset({*off.index[off >= _ELSEWHERE], *own.index[own < _OWN_KIN]})


def _told(finding: Finding, others: int) -> Finding:
    return replace(
        finding,
        id=short_id(RESEMBLANCE, "covered", finding.id),
        title=TITLE,
        sentence=f"{finding.query_count:,} queries lie among {others:,} ordinary ones and have nothing in common with "
        f"these. {finding.sentence}",
    )
