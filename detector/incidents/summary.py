"""An incident in a commander's words: who, which model, what it resembles, how far, since when, how sure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detector.incidents.echoes import without_echoes
from detector.incidents.profile import best_confidence, rarity
from detector.model import ANOMALY_PREFIX, EntityKind, Finding, Severity, Technique

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detector.config import ClientSettings
    from detector.model import Incident, Member

_NAMED = 3
_LONGEST_NAME = 60

_MEANING: Mapping[Technique, str] = {
    Technique.INVERSION: "model inversion: steering queries by the answers towards an input that looks like a "
    "training record",
    Technique.MEMBERSHIP: "membership inference: finding out which records the model was trained on",
    Technique.ATTRIBUTE: "attribute inference: trying values of a sensitive field until the model's answers give "
    "the true one away",
    Technique.EXTRACTION: "model extraction: collecting answers to train a copy of the model",
    Technique.EVASION: "query-based optimisation: shifting an input step by step until the model's answer changes",
    Technique.PROBING: "probing: sweeping the model's inputs to learn how it answers",
}
_STRENGTH = ("weak", "moderate", "strong", "very strong")
_BOUNDS = (0.9, 0.99, 0.999)
_COMMON = 0.1


def summarise(incident: Incident, findings: Sequence[Finding], clients: Mapping[str, ClientSettings]) -> str:
    """Return the summary of an incident.

    Args:
        incident: the incident, as far as its findings say.
        findings: those of them that count, at least one.
        clients: what the site declares of its clients.
    """
    technique, *others = incident.techniques
    parts = [
        f"{_who(incident)} queried the model {name(incident.model)} in {_manner(findings, incident)}.",
        _how_far(findings, technique),
        _since(findings, incident.query_count),
        _how_sure(findings, incident.score),
        f"Signs of {_listed([str(one) for one in others])} go with it." if others else "",
        _declared(incident.members, clients),
    ]
    return " ".join(part for part in parts if part)


def name(text: str) -> str:
    """Return an id short enough for a sentence."""
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _who(incident: Incident) -> str:
    members = incident.members
    if incident.entity_kind is EntityKind.CLIENT:
        return f"Client {name(incident.entity_id)}"
    some = [name(member.client) for member in members[:_NAMED]]
    if len(members) > _NAMED:
        some.append(f"{len(members) - _NAMED:,} more")
    behind = f" ({_listed(some)})" if some else ""
    if incident.entity_kind is EntityKind.NETWORK:
        clients = f"{len(members):,} clients" if len(members) != 1 else "One client"
        return f"{clients if members else 'Clients'} in the network {name(incident.entity_id)}{behind}"
    return f"{len(members):,} accounts acting together{behind}"


def _manner(findings: Sequence[Finding], incident: Incident) -> str:
    if all(finding.rule.startswith(ANOMALY_PREFIX) for finding in findings):
        return "an unusual way, in which no rule recognises an attack"
    if incident.explained_by:
        return f"a way that behaves like {incident.explained_by}; what it shares with an attack is told below"
    return f"a way that resembles {_MEANING[incident.technique]}{_family(findings, incident.technique)}"


def _family(findings: Sequence[Finding], technique: Technique) -> str:
    ordered = sorted(findings, key=lambda finding: -finding.level.rank)
    families = list(dict.fromkeys(f.family for f in ordered if f.technique is technique and f.family))[:_NAMED]
    forms = "form" if len(families) == 1 else "forms"
    return f" (closest known {forms}: {_listed([name(one) for one in families])})" if families else ""


def _how_far(findings: Sequence[Finding], technique: Technique) -> str:
    targets = dict.fromkeys(f.segment.target for f in findings if f.technique is technique and f.segment.target)
    classes = "class" if len(targets) == 1 else "classes"
    aim = f" towards {classes} {_listed([name(one) for one in list(targets)[:_NAMED]])}" if targets else ""
    reached = best_confidence(findings, technique)
    if reached is not None:
        return f"The best confidence reached{aim} is {reached:.2f}."
    return f"It was directed{aim}." if aim else ""


def _since(findings: Sequence[Finding], queries: int) -> str:
    nights = sorted({finding.night for finding in without_echoes(findings)})
    if len(nights) == 1:
        return f"Seen in the night {nights[0]}: {queries:,} queries."
    return f"Seen in {len(nights)} nights since {nights[0]}, last on {nights[-1]}: {queries:,} queries."


def _how_sure(findings: Sequence[Finding], score: float) -> str:
    highest = Severity.at(max(finding.level.rank for finding in findings))
    # What is rare is not yet an attack: how much a rule is worth as evidence, its author says by its level.
    rank = min(sum(score >= bound for bound in _BOUNDS), highest.rank)
    rules = {finding.rule for finding in findings}
    by = "1 rule" if len(rules) == 1 else f"{len(rules)} rules"
    return f"How sure: {_STRENGTH[rank]} evidence; {_rarity(findings)} ({by}, the highest level {highest})."


def _rarity(findings: Sequence[Finding]) -> str:
    p = rarity(findings)
    if p is None:
        return "how often benign clients look like this has not been measured"
    if p <= 0:
        return "no benign window measured looked like this"
    if p > _COMMON:
        return f"{p:.0%} of benign windows look like this"
    digits = 10 ** max(0, math.floor(-math.log10(p)) - 1)
    return f"about 1 in {round(1 / p / digits) * digits:,} benign windows looks like this"


def _declared(members: Sequence[Member], clients: Mapping[str, ClientSettings]) -> str:
    known = [(member.client, clients[member.client].workload) for member in members if member.client in clients]
    if not known:
        return ""
    named = [f"{name(client)} as {name(workload)!r}" for client, workload in known[:_NAMED]]
    if len(known) > _NAMED:
        named.append(f"{len(known) - _NAMED:,} more")
    return f"Declared by the site: {_listed(named)}; check whether that workload explains what was seen."
