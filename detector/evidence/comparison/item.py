"""The line of the checklist: reconstructions and probed records against the samples, with a verdict each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.comparison.alike import measure
from detector.evidence.comparison.encoding import MismatchError, encoded, named, nearest_in
from detector.evidence.comparison.parts import FAR, Closeness, ComparisonEvidence, Disclosed, Probed, Verdict
from detector.evidence.comparison.telling import facts, reason
from detector.evidence.space import SAME, contrast, two_nearest
from detector.model import EvidenceItem, EvidenceStatus, Technique

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.evidence.context import IncidentContext, Pursuit, Training

NUMBER = 5
TITLE = "Comparison with the training data"
_PROBES = 500
_CLOSE = 0.99
_NOT_FAR = 0.5
_COPIES = 0.05


def examine(context: IncidentContext) -> ComparisonEvidence:
    """Return how close the reconstructions, or the records probed, come to the training data."""
    membership = Technique.MEMBERSHIP in context.incident.techniques
    if not context.reconstructs and not membership:
        aim = f"{context.incident.technique.value.capitalize()} does not aim at training records."
        return ComparisonEvidence(EvidenceItem(NUMBER, TITLE, EvidenceStatus.NOT_APPLICABLE, aim))
    missing = _missing(context)
    if missing is not None:
        return _unavailable(missing)
    try:
        drawn = [(pursuit, row) for pursuit in context.pursuits if (row := _drawn(context, pursuit)) is not None]
        compared = [_closeness(context, pursuit, row) for pursuit, row in drawn]
        probed, asked = _probed(context) if membership else (None, ())
    except MismatchError as mismatch:
        return _unavailable(str(mismatch))
    if not compared and probed is None:
        return _unavailable("There is no reconstruction to compare: see item 2.")
    closeness = tuple(one for one, _ in compared)
    lacking = tuple(dict.fromkeys(sentence for _, sentences in compared for sentence in sentences))
    told = reason(closeness, probed, lacking)
    item = EvidenceItem(NUMBER, TITLE, EvidenceStatus.CAPTURED, told, facts(closeness, probed))
    # Somebody is notified once, however many reconstructions resemble the record.
    unique = {(one.sample, one.row): one for one in (*asked, *(one.nearest for one in closeness if one.discloses))}
    disclosed = tuple(unique[key] for key in sorted(unique))
    return ComparisonEvidence(item, closeness, context.training.spacing, probed, disclosed, lacking)


def _missing(context: IncidentContext) -> str | None:
    if context.training.problem is not None:
        return f"{context.training.problem[0].upper()}{context.training.problem[1:]}."
    if context.training.members is None:
        return (
            "No sample of the training data was given. Name training_sample = FILE (and holdout_sample = FILE, records "
            f'that were not trained on) under [models."{context.incident.model}"] in detector.toml: Parquet with '
            "input_vector, text or the named fields, label, and record_id to name whom to notify."
        )
    return None


def _unavailable(why: str) -> ComparisonEvidence:
    return ComparisonEvidence(EvidenceItem(NUMBER, TITLE, EvidenceStatus.UNAVAILABLE, why))


def _drawn(context: IncidentContext, pursuit: Pursuit) -> int | None:
    """Return the query that is the reconstruction, None where its input is not held."""
    held = (row for row in pursuit.best if context.inputs.place(row) is not None)
    return next(held, None)


def _closeness(context: IncidentContext, pursuit: Pursuit, row: int) -> tuple[Closeness, tuple[str, ...]]:
    members, others, spacing = context.training.members, context.training.others, context.training.spacing
    if members is None or spacing is None:
        raise MismatchError("There is no training record to compare with.")
    point = encoded(context, [row])
    if not len(point) or not np.isfinite(point).all():
        raise MismatchError("The reconstruction holds values that are no numbers, and cannot be compared.")
    distance, which = nearest_in(point, members)
    reach, member = float(distance[0]), int(which[0])
    to_other, other = None, None
    if others is not None:
        near, beside = nearest_in(point, others)
        to_other, other = float(near[0]), int(beside[0])
    next_best = to_other if to_other is not None else float(two_nearest(point, members.vectors)[0, 1])
    ratio = float(contrast(distance, np.array([next_best]), spacing)[0])
    found = Closeness(
        target=pursuit.target,
        row=row,
        to_member=reach,
        member_label=members.labels[member] if members.labels is not None else None,
        to_other=to_other,
        closer_than=float(np.mean(spacing > reach)),
        verdict=_verdict(reach, ratio, context.training),
        contrast=ratio,
        apart=_apart(ratio, context.training),
        p=_rank(ratio, context.training.contrast),
        nearest=named(members, member, row),
    )
    measures, fields, lacking = measure(context, row, pursuit.target, member, other)
    found = replace(found, measures=measures, fields=fields)
    # Whoever agrees with the usual person on what is usual has learned nothing of one.
    if found.discloses and fields and _agreeing(fields, 1) <= _agreeing(fields, 2):
        found = replace(found, verdict="the class only")
    return found, lacking


def _agreeing(fields: tuple[tuple[str, bool, bool], ...], place: int) -> int:
    return sum(bool(one[place]) for one in fields)


def _rank(value: float, usual: NDArray[np.float64] | None) -> float:
    """Return the permutation p-value of a small value: its rank among those of records not trained on."""
    if usual is None:
        return 1.0
    return (1 + int((usual <= value).sum())) / (1 + len(usual))


def _verdict(reach: float, ratio: float, training: Training) -> Verdict:
    spacing = training.spacing if training.spacing is not None else np.empty(0)
    same = SAME * float(np.median(spacing))
    if reach <= same:
        # Where fields hold few values, records that nobody trained on equal training records, too.
        return "a record" if float(np.mean(spacing <= same)) <= _COPIES else "like a real record"
    closer = float(np.mean(spacing > reach))
    # A noisy copy is no nearer to its record than real records are to each other, but far from every other one; the
    # middle of a crowd is nearer to each in it than they are to each other.
    if _apart(ratio, training) >= _CLOSE and closer >= _NOT_FAR:
        return "closer to a person"
    return "like a real record" if FAR < closer < _CLOSE else "the class only"


def _apart(ratio: float, training: Training) -> float:
    """Return the share of records not trained on that are less close to one training record, against others."""
    return float(np.mean(training.contrast > ratio)) if training.contrast is not None else 0.0


def _probed(context: IncidentContext) -> tuple[Probed | None, tuple[Disclosed, ...]]:
    members, others, spacing = context.training.members, context.training.others, context.training.spacing
    held = context.inputs.rows
    if members is None or spacing is None or not len(held):
        return None, ()
    rows = held[np.unique(np.linspace(0, len(held) - 1, min(_PROBES, len(held))).astype(np.int64))]
    points = encoded(context, [int(row) for row in rows])
    usable = np.isfinite(points).all(axis=1)
    rows, points = rows[usable], points[usable]
    near = SAME * float(np.median(spacing))
    distance, which = nearest_in(points, members)
    hits = np.flatnonzero(distance <= near)
    missed = int((nearest_in(points, others)[0] <= near).sum()) if others is not None else None
    asked = tuple(named(members, int(which[hit]), int(rows[hit])) for hit in hits)
    return Probed(len(points), len(hits), missed), asked
