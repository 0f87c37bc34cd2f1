"""Which of the attack's preconditions held: what the log and the configuration show of how it was possible at all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.clock import DAY
from detector.evidence.context import WHITE_BOX
from detector.evidence.nearness import NEAR
from detector.evidence.numbers import MOST_DECIMALS, decimals, probability

if TYPE_CHECKING:
    from detector.audit.service import Audit
    from detector.evidence.context import IncidentContext

_FINE = 3
_HOUR = DAY // 24
_REFUSED = 429.0
_OFTEN = 0.1
_TELLS_APART = 0.55


class Holds(StrEnum):
    """Whether a precondition held."""

    HELD = "held"
    NOT_HELD = "did not hold"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Precondition:
    """One thing that makes such an attack possible or easier.

    Attributes:
        name: what it is.
        holds: whether it was so.
        found: what was measured, or what to provide so that it can be.
        remedy: what would change it; empty where nothing need be done.
    """

    name: str
    holds: Holds
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class PreconditionEvidence:
    """The preconditions, in the order in which an attacker needs them."""

    rows: tuple[Precondition, ...]


def examine(context: IncidentContext, audit: Audit | None) -> PreconditionEvidence:
    """Return which preconditions held.

    Args:
        context: the incident.
        audit: what the confidences of members and non-members tell, None where none were given.
    """
    rows = (
        _scores(context),
        _allowance(context),
        _repeats(context),
        _accounts(context),
        _white_box(context),
        _overconfident(context, audit),
        _sensitivity(context),
    )
    return PreconditionEvidence(rows)


def _scores(context: IncidentContext) -> Precondition:
    name, remedy = "Exact scores are returned", "Return labels, or round what is returned to two decimals or fewer."
    queries = context.queries
    listed = np.isfinite(queries.probabilities.values).any(axis=1)
    scored = listed | np.isfinite(queries.confidence)
    labelled = np.array([label is not None for label in queries.label], dtype=np.bool_)
    if not (scored.any() or labelled.any()):
        return Precondition(name, Holds.UNKNOWN, "The log holds no answers: log `output`, label and scores.")
    if not scored.any():
        return Precondition(name, Holds.NOT_HELD, "Answers hold labels alone, as far as the log shows.")
    values = queries.probabilities.values[listed] if listed.any() else queries.confidence[scored]
    digits = decimals(values)
    what = f"{np.mean(listed):.0%} of the answers list probabilities" if listed.any() else (
        f"{np.mean(scored):.0%} of the answers tell a confidence"
    )  # fmt: skip
    if digits is None:
        return Precondition(name, Holds.NOT_HELD, f"{what}, each 0 or 1.")
    told = f"{digits} decimals" if digits < MOST_DECIMALS else f"{digits} decimals or more"
    found = f"{what}, to {told if digits > 1 else '1 decimal'}; the log is taken to hold what the client was sent."
    return Precondition(name, Holds.HELD, found, remedy) if digits >= _FINE else Precondition(
        name, Holds.NOT_HELD, found
    )  # fmt: skip


def _allowance(context: IncidentContext) -> Precondition:
    name, remedy = "No limit of queries was met", "Set a limit: see what each would have touched."
    trace, crowd = context.trace, context.bystanders
    if trace is None:
        return Precondition(name, Holds.UNKNOWN, "The queries are no longer in the store.")
    bins = np.stack([trace.client.astype(np.int64), (trace.ts - trace.begins) // _HOUR])
    busiest = int(np.unique(bins, axis=1, return_counts=True)[1].max())
    usual = f"; the busiest benign client sent {int(crowd.peak_hour.max()):,}" if crowd is not None else ""
    found = f"One client was allowed at least {busiest:,} queries in an hour{usual}."
    refused = int((context.queries.status == _REFUSED).sum())
    if refused:
        return Precondition(name, Holds.NOT_HELD, f"{found} {refused:,} were refused (status 429).", remedy)
    unlogged = "" if np.isfinite(context.queries.status).any() else " The log holds no status codes."
    return Precondition(name, Holds.HELD, f"{found} None was refused.{unlogged}", remedy)


def _repeats(context: IncidentContext) -> Precondition:
    name = "Slight variations of one input are answered"
    trace = context.trace
    known = trace.near[~np.isnan(trace.near)] if trace is not None else np.empty(0)
    if not len(known):
        found = "Not measured: the log shows no inputs, or no scan has learned yet what inputs look like."
        return Precondition(name, Holds.UNKNOWN, found)
    share = float(np.mean(known < NEAR))
    found = f"{share:.0%} of the queries were near-duplicates of one of the client\u2019s last queries, and answered."
    remedy = "Watch for near-duplicates where the model is served, and cut off clients that send many."
    return Precondition(name, Holds.HELD, found, remedy) if share >= _OFTEN else Precondition(
        name, Holds.NOT_HELD, found
    )  # fmt: skip


def _accounts(context: IncidentContext) -> Precondition:
    name, count = "Several accounts can act together", len(context.incident.members)
    if count == 1:
        return Precondition(name, Holds.NOT_HELD, "One client sent all of it.")
    remedy = "Tie limits to whoever holds the accounts, or to their network, not to the key alone."
    return Precondition(name, Holds.HELD, f"{count:,} clients sent it: a limit per client is multiplied.", remedy)


def _white_box(context: IncidentContext) -> Precondition:
    name = "Gradients or explanations are exposed"
    calls = [str(one) for one in context.queries.operation if one in WHITE_BOX]
    if not len(context.queries):
        return Precondition(name, Holds.UNKNOWN, "The queries are no longer in the store.")
    if not calls:
        return Precondition(name, Holds.NOT_HELD, "The attack asked for neither, as far as the log shows.")
    counts = ", ".join(f"{calls.count(one):,} to {one}" for one in sorted(set(calls)))
    remedy = "Close these endpoints to clients that have no need of them: one gradient replaces hundreds of queries."
    return Precondition(name, Holds.HELD, f"{len(calls):,} of the queries: {counts}.", remedy)


def _overconfident(context: IncidentContext, audit: Audit | None) -> Precondition:
    name = "The model is surer of records that it was trained on"
    if audit is None:
        found = (
            "Not measured. Give training_sample and holdout_sample with a column confidence, or probabilities and "
            f'label, under [models."{context.incident.model}"] in detector.toml.'
        )
        return Precondition(name, Holds.UNKNOWN, found)
    members, others = probability(audit.member_median), probability(audit.other_median)
    found = (
        f"Median confidence {members} on members, {others} on others; "
        f"a member is above a non-member in {audit.auc:.0%} of pairs (50% is guessing)."
    )
    remedy = "Train with regularisation or differential privacy, and on fewer passes over the data."
    held = audit.auc >= _TELLS_APART
    return Precondition(name, Holds.HELD, found, remedy) if held else Precondition(name, Holds.NOT_HELD, found)


def _sensitivity(context: IncidentContext) -> Precondition:
    name, declared = "The training data are about people", context.settings.sensitivity
    if declared == "none":
        where = f'sensitivity under [models."{context.incident.model}"] in detector.toml'
        return Precondition(name, Holds.UNKNOWN, f"No sensitivity is declared: set {where}.")
    return Precondition(name, Holds.HELD, f"Declared: {declared}.", "See the notifications under Response.")
