"""The top of the page in plain words: what happened, how far it got, how sure we are, what to do now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from detector.evidence.comparison import told
from detector.incidents.profile import rarity
from detector.model import EntityKind, IncidentStatus, Technique
from detector.report import words
from detector.report.beyond import touched
from detector.report.view import Brief
from detector.report.visible import name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.config import ClientSettings
    from detector.evidence.checklist import Dossier
    from detector.evidence.controls import ControlEvidence, Outcome
    from detector.model import Incident

_NAMED = 3
_CHEAP = 0.05

_DEEDS: Mapping[Technique, str] = {
    Technique.INVERSION: "{who} steered queries towards what {model} remembers",
    Technique.ATTRIBUTE: "{who} tried out hidden fields of people whom {model} knows",
    Technique.MEMBERSHIP: "{who} tested which records {model} was trained on",
    Technique.EXTRACTION: "{who} collected answers that would train a copy of {model}",
    Technique.EVASION: "{who} searched for inputs at which {model} changes its answer",
    Technique.PROBING: "{who} probed how {model} answers",
}


def bdi(text: str) -> Markup:
    """Return a name from the log, kept apart from the direction of the text around it."""
    return Markup("<bdi>{}</bdi>").format(name(text))


def heading(dossier: Dossier) -> Markup:
    """Return the page's first line."""
    incident, pursuits = dossier.context.incident, dossier.context.pursuits
    who, model = _subject(incident), bdi(incident.model)
    if incident.explained_by:
        return escape("{} of {} behaves like {}").format(who, model, _in_short(incident.explained_by))
    if incident.technique is Technique.INVERSION and pursuits:
        named = list(dict.fromkeys(pursuit.target for pursuit in pursuits))
        targets = [bdi(target) for target in named[:_NAMED]]
        noun = "class" if len(named) == 1 else "classes"
        climbed = Markup("{} climbed towards {} {} of {}")
        return climbed.format(who, noun, Markup(", ").join(targets), model)
    return escape(_DEEDS[incident.technique]).format(who=who, model=model)


def briefs(dossier: Dossier, clients: Mapping[str, ClientSettings]) -> tuple[Brief, ...]:
    """Return who, which model, how far, how sure and since when."""
    return (_who(dossier, clients), _model(dossier), _how_far(dossier), _how_sure(dossier), _since(dossier))


def actions(dossier: Dossier) -> tuple[Markup, ...]:
    """Return what to do now, the most urgent first."""
    incident = dossier.context.incident
    if incident.status is IncidentStatus.CLOSED:
        return (Markup("Nothing: the incident is closed. A new finding reopens it."),)
    if incident.status is IncidentStatus.MERGED:
        return (Markup("Go to incident {}, which this one was merged into.").format(incident.heir or ""),)
    if incident.explained_by:
        steps = [_ask(incident, incident.explained_by)]
    else:
        steps = [_contain(incident), _harden(dossier), *_follow_up(dossier)]
    steps.append(
        Markup("Keep the log files named under Provenance as they are: the hashes in this report refer to them.")
    )
    return tuple(steps)


def _subject(incident: Incident) -> str:
    if incident.entity_kind is EntityKind.CLIENT and len(incident.members) <= 1:
        return "A client"
    if incident.entity_kind is EntityKind.NETWORK:
        return "Clients of one network"
    return f"{len(incident.members):,} accounts acting together"


def _who(dossier: Dossier, clients: Mapping[str, ClientSettings]) -> Brief:
    incident = dossier.context.incident
    answer = _named(incident)
    if incident.entity_kind is EntityKind.NETWORK:
        answer = Markup("Network {}: {}").format(bdi(incident.entity_id), answer)
    declared = [client for client in incident.clients if client in clients]
    if not declared:
        return Brief("Who", answer, "No workload is declared for this client." if len(incident.clients) == 1 else "")
    workload = clients[declared[0]].workload
    detail = Markup("Declared as {}: check whether that explains what was seen.").format(bdi(workload))
    return Brief("Who", answer, detail)


def _model(dossier: Dossier) -> Brief:
    incident, sensitivity = dossier.context.incident, dossier.context.settings.sensitivity
    detail = "No sensitivity is declared for it." if sensitivity == "none" else f"Declared to hold {sensitivity} data."
    return Brief("Which model", bdi(incident.model), detail)


def _how_far(dossier: Dossier) -> Brief:
    context = dossier.context
    if context.pursuits:
        return _reached(dossier)
    probed = dossier.comparison.probed
    if probed is not None and probed.inputs:
        answer = f"{probed.members:,} of {probed.inputs:,} probed inputs are training records"
        return Brief("How far", answer, f"{context.query_total:,} queries lie behind the findings.")
    return Brief("How far", f"{words.plural(context.query_total or context.incident.query_count, 'query', 'queries')}")


def _reached(dossier: Dossier) -> Brief:
    pursuit = dossier.context.pursuits[0]
    closeness = next((one for one in dossier.comparison.closeness if one.row in pursuit.best), None)
    detail = told(closeness) if closeness else "Whether a person is affected cannot be told without training data."
    queries = words.plural(len(pursuit.rows), "query", "queries")
    if not pursuit.scored:
        return Brief("How far", Markup("The label {} was kept over {}").format(bdi(pursuit.target), queries), detail)
    start, final = words.probability(pursuit.start), words.probability(pursuit.final)
    if start == final:
        answer = Markup("Class {} held at {} over {}").format(bdi(pursuit.target), final, queries)
    else:
        answer = Markup("Class {} from {} to {} in {}").format(bdi(pursuit.target), start, final, queries)
    return Brief("How far", answer, detail)


def _how_sure(dossier: Dossier) -> Brief:
    incident = dossier.context.incident
    rules = len({finding.rule for finding in incident.findings})
    by = f"{words.plural(rules, 'rule')} spoke"
    rare = rarity(incident.findings)
    if rare is None:
        return Brief("How sure", by, "How often benign clients look like this has not been measured: no baseline yet.")
    return Brief("How sure", f"{words.one_in(rare).capitalize()} looks like this", f"{by}.")


def _since(dossier: Dossier) -> Brief:
    incident, queries = dossier.context.incident, dossier.context.queries
    first, last = incident.first_ts, incident.last_ts
    if len(queries):
        first, last = int(queries.ts[0]), int(queries.ts[-1])
    nights = words.plural(len(incident.nights), "night")
    return Brief("Since when", words.span(first, last), f"{words.duration(first, last)}, {nights}.".capitalize())


def _in_short(workload: str) -> str:
    """Return what a workload is, without how it is recognised."""
    return workload.partition(":")[0]


def _named(incident: Incident) -> Markup:
    who = Markup(", ").join(bdi(client) for client in incident.clients[:_NAMED])
    left = len(incident.clients) - _NAMED
    return who + (f" and {left:,} more" if left > 0 else "")


def _ask(incident: Incident, workload: str) -> Markup:
    what = escape(
        "Ask the owner of {} whether they run {} on {}. If they do, declare that workload in detector.toml or suppress "
        "the incident with a reason; if not, treat it as {}."
    )
    otherwise = words.technique(incident.technique).lower()
    return what.format(_named(incident), _in_short(workload), bdi(incident.model), otherwise)


def _contain(incident: Incident) -> Markup:
    what = escape(
        "Suspend or slow down {} on {} until the owner has explained these queries; "
        "rotate the key if they did not send them."
    )
    return what.format(_named(incident), bdi(incident.model))


_HARDENING: Mapping[Technique, str] = {
    **dict.fromkeys(
        (Technique.INVERSION, Technique.ATTRIBUTE, Technique.MEMBERSHIP),
        "Return labels, or probabilities rounded to two decimals, to clients that have no need of exact scores.",
    ),
    Technique.EXTRACTION: (
        "Limit this client's queries, and keep the answers it got: a copy trained on them can be recognised by them."
    ),
    Technique.EVASION: "Look at the decisions that were taken on this client's queries after the search ended.",
    Technique.PROBING: "Compare with the client's other nights: probing often comes before an attack.",
}


def _harden(dossier: Dossier) -> Markup:
    """Return the control that the replay speaks for, or what helps against such attacks in general."""
    found = dossier.controls
    best = found.outcomes[found.best] if found is not None and found.best is not None else None
    if found is None or best is None or best.kind == "answers" or best.removed is None or not _is_cheap(found, best):
        return escape(_HARDENING[dossier.context.incident.technique])
    told = escape(
        "Set a limit or a filter: {} would have removed {} of the attack's steps and touches {} benign clients."
    )
    return told.format(f"{best.name[:1].lower()}{best.name[1:]}", words.share(best.removed), touched(found, best))


def _is_cheap(found: ControlEvidence, one: Outcome) -> bool:
    """Whether a control hardly touches anybody else: only then is it to be switched on without a second thought."""
    return one.touched is not None and one.touched <= _CHEAP * found.bystanders


def _follow_up(dossier: Dossier) -> tuple[Markup, ...]:
    comparison = dossier.comparison
    if any(one.discloses for one in comparison.closeness):
        records = words.plural(len(comparison.disclosed), "training record")
        text = f"Treat {records} as disclosed (named in the evidence bundle); tell whoever answers for the data."
        return (escape(text),)
    if comparison.closeness:
        text = (
            "No single person is known to be affected: what was reached is no closer to a training record than "
            "other real records are."
        )
        return (escape(text),)
    if comparison.probed is not None and comparison.probed.members:
        return (Markup("List whom the probed training records are about: their membership may be known now."),)
    if dossier.context.reconstructs:
        return (Markup("Name a training sample in detector.toml, to learn whether a person is affected."),)
    return ()
