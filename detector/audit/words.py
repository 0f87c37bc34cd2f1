"""What an audit found, in the words of a report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detector.audit.service import Runs, Verdict

if TYPE_CHECKING:
    from detector.audit.attack import ManyRuns, OneRun
    from detector.audit.bounds import Rate
    from detector.audit.declared import Declared
    from detector.audit.service import Audit
    from detector.config import Privacy

Fact = tuple[str, str]

PREMISES = {
    Runs.ONE: (
        "The bound is proved where each record was put into the training or left out by its own fair coin. Records of "
        "a random split come close to that; a hold-out of another time or source does not, and may differ from the "
        "members by more than membership."
    ),
    Runs.MANY: (
        "The bound is proved where each confidence comes from a training run of its own; confidences of one model "
        "depend on each other."
    ),
}


def epsilon(value: float) -> str:
    """Return a privacy loss with three digits after the point; nothing else is worth showing."""
    return "unbounded" if math.isinf(value) else f"{value:.3f}"


def share(value: float) -> str:
    """Return a share in percent, with the digits that rare events need."""
    return f"{value:.1%}" if value >= 0.01 or value == 0 else f"{value:.3%}"


def interval(rate: Rate) -> str:
    """Return a share with its interval and counts."""
    return f"{share(rate.value)} ({share(rate.low)} to {share(rate.high)}; {rate.hits:,} of {rate.total:,})"


def declared_facts(privacy: Privacy, declared: Declared | None) -> tuple[Fact, ...]:
    """Return what the training declared, and the ε that follows where it could be computed."""
    parameters = (
        ("Declared noise multiplier", f"{privacy.noise_multiplier:g}"),
        ("Declared sampling rate", f"{privacy.sampling_rate:g}"),
        ("Declared steps", f"{privacy.steps:,}"),
        ("Declared δ", f"{privacy.delta:g}"),
    )
    if declared is None:
        return parameters
    return (*parameters, ("Declared ε", f"{epsilon(declared.epsilon)} (by {declared.accountant})"))


def audit_facts(audit: Audit) -> tuple[Fact, ...]:
    """Return what the confidences show, in reading order."""
    at = f"at {audit.confidence:.0%} confidence, δ = {audit.delta:g}"
    return (
        ("Members and non-members", f"{audit.members:,} and {audit.others:,}"),
        ("Median confidence in the true class", f"members {audit.member_median:.4f}, others {audit.other_median:.4f}"),
        ("Membership attack, AUC", f"{audit.auc:.3f}"),
        *((f"Members recognised at {one.limit:.1%} false alarms", interval(one.true)) for one in audit.operating),
        ("ε is at least, one training run", _one_run(audit.one_run, at)),
        *((("ε is at least, many training runs", _many_runs(audit.many_runs, at)),) if audit.many_runs else ()),
    )


def _one_run(found: OneRun, at: str) -> str:
    cut = ", the larger group thinned out" if found.thinned else ""
    return (
        f"{epsilon(found.epsilon)} ({at}; {found.correct:,} of {found.guesses:,} guesses right about "
        f"{found.canaries:,} records{cut}; best of {found.tried} numbers of guesses, corrected for that)"
    )


def _many_runs(found: ManyRuns, at: str) -> str:
    return (
        f"{epsilon(found.epsilon)} ({at}; {share(found.true.value)} recognised at {share(found.false.value)} false "
        "alarms, counted on the half of the records on which the threshold was not chosen)"
    )


def sentence(audit: Audit) -> str:
    """Return what the bound says by itself and to the declared ε."""
    bound = audit.epsilon
    at = f"at {audit.confidence:.0%} confidence"
    said = (
        f"The confidences show that ε is at least {epsilon(bound)} (δ = {audit.delta:g}, {at})."
        if bound > 0
        else f"The confidences bound ε by nothing above 0 ({at}): this attack does no better here than guessing "
        "might, which is no proof that another one would not."
    )
    return f"{said} {_against(audit)}{_useless_delta(audit)}"


def _against(audit: Audit) -> str:
    declared = audit.declared
    if declared is None:
        return "No ε is declared that it could contradict."
    promised = f"the declared ε = {epsilon(declared.epsilon)}"
    if audit.verdict is Verdict.CONTRADICTED:
        return (
            f"That contradicts {promised}: the model gives away more than was promised. Check clipping per record, "
            "noise, sampling and the number of steps, and that the non-members are of the same kind as the members."
        )
    if math.isinf(declared.epsilon):
        return "The declared parameters promise nothing that it could contradict."
    return f"That does not contradict {promised}; a lower bound never confirms one."


def _useless_delta(audit: Audit) -> str:
    if audit.delta * audit.members < 1:
        return ""
    return (
        f" With {audit.members:,} members δ = {audit.delta:g} is too large to mean much: it allows whole records to be "
        "published; δ should be far below 1 in the number of records."
    )
