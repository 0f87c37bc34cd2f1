"""Item 2: what the attacker ended up with: the queries where the climb converged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.numbers import probability
from detector.evidence.pursuit import milestones
from detector.evidence.shapes import image_shape
from detector.model import EvidenceItem, EvidenceStatus, InputKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from detector.evidence.context import IncidentContext, Pursuit

NUMBER = 2
TITLE = "Reconstructed data samples"


@dataclass(frozen=True, eq=False)
class Frame:
    """One query of a climb.

    Attributes:
        row: index into the queries.
        place: number of the query within its pursuit, counted from 1.
        ts: UTC microseconds.
        probability: of the class pursued, NaN where the answer does not tell.
        vector: the input, where it is one.
        payload: the record or text, where it is one.
    """

    row: int
    place: int
    ts: int
    probability: float
    vector: NDArray[np.float32] | None
    payload: bytes | None


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What was reached of one class.

    Attributes:
        target: the class.
        pursuit: the climb towards it.
        best: the queries where the climb converged, the best first; the first is the reconstruction.
        path: milestones from the first query on, in time order.
        kind: what the inputs are.
        shape: height, width and channels where they are images.
        low, high: values that are drawn black and white.
        scored: whether scores led the way; without them nobody can tell how good it is.
    """

    target: str
    pursuit: Pursuit
    best: tuple[Frame, ...]
    path: tuple[Frame, ...]
    kind: InputKind
    shape: tuple[int, int, int] | None
    low: float
    high: float
    scored: bool


@dataclass(frozen=True)
class ReconstructionEvidence:
    """Item 2."""

    item: EvidenceItem
    reconstructions: tuple[Reconstruction, ...]


def examine(context: IncidentContext) -> ReconstructionEvidence:
    """Return what the attacker ended up with, class by class."""
    if not context.reconstructs:
        name = context.incident.technique.value
        reason = f"The findings speak of {name}, which reconstructs nothing: its queries are listed under item 1."
        return ReconstructionEvidence(_item(EvidenceStatus.NOT_APPLICABLE, reason), ())
    found = tuple(one for one in (_reconstruction(context, pursuit) for pursuit in context.pursuits) if one.best)
    if not found:
        return ReconstructionEvidence(_item(EvidenceStatus.UNAVAILABLE, _why_not(context)), ())
    facts = tuple(fact for one in found for fact in _facts(one))
    return ReconstructionEvidence(_item(EvidenceStatus.CAPTURED, _reason(found), facts), found)


def _reconstruction(context: IncidentContext, pursuit: Pursuit) -> Reconstruction:
    best = tuple(_frames(context, pursuit, pursuit.best))
    path = tuple(_frames(context, pursuit, milestones(pursuit)))
    vectors = context.inputs.vectors
    shape = None
    if context.inputs.dimension and best:
        drawn = np.stack([frame.vector for frame in best if frame.vector is not None])
        shape = image_shape(context.inputs.dimension, context.settings.image_shape, _known(context, drawn))
    low, high = _brightness(vectors)
    return Reconstruction(pursuit.target, pursuit, best, path, context.inputs.kind, shape, low, high, pursuit.scored)


def _known(context: IncidentContext, drawn: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return inputs that tell whether values are brightnesses: ordinary clients' where there are any."""
    others = context.peers.vectors if context.peers is not None else drawn[:0]
    return others if others.size and others.shape[1] == drawn.shape[1] else drawn


def _frames(context: IncidentContext, pursuit: Pursuit, rows: Iterable[int]) -> Iterable[Frame]:
    for row in rows:
        vector, payload = context.inputs.vector(row), context.inputs.payload(row)
        if vector is None and payload is None:
            continue
        place = int(np.searchsorted(pursuit.rows, row))
        yield Frame(row, place + 1, int(context.queries.ts[row]), float(pursuit.probability[place]), vector, payload)


def _brightness(vectors: NDArray[np.float32]) -> tuple[float, float]:
    """Return the values of black and white: the customary ends where the inputs keep within them."""
    known = vectors[np.isfinite(vectors)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    for bottom, top in ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)):
        if low >= bottom and high <= top:
            return bottom, top
    return low, high


def _item(status: EvidenceStatus, reason: str, facts: tuple[tuple[str, str], ...] = ()) -> EvidenceItem:
    return EvidenceItem(NUMBER, TITLE, status, reason, facts)


def _facts(one: Reconstruction) -> tuple[tuple[str, str], ...]:
    pursuit = one.pursuit
    best = one.best[0]
    reached = f"{probability(pursuit.start)} to {probability(best.probability)}" if one.scored else "labels only"
    return (
        ("Class pursued", one.target),
        ("… its probability", reached),
        ("… best query", f"number {best.place:,} of {len(pursuit.rows):,}"),
    )


def _reason(found: tuple[Reconstruction, ...]) -> str:
    if all(one.scored for one in found):
        return (
            "The attacker keeps the input that the model was surest of: it was sent as a query, so the log holds it. "
            "It is shown covered, for it can resemble a training record."
        )
    return (
        "The answers held labels only: the last inputs that kept the label are what the attacker was left with. "
        "How good they are cannot be told from the log."
    )


def _why_not(context: IncidentContext) -> str:
    if not context.query_total:
        return "The queries behind the findings are no longer in the store: ingest the log files of these nights again."
    if context.inputs.kind in {InputKind.NONE, InputKind.DIGEST}:
        return (
            "The log holds no inputs (or only their digests), and the reconstruction is an input. "
            "Log the field `input`, or keep it for clients under suspicion."
        )
    return "No answer tells which class was pursued. Log the field `output` with label, confidence or probabilities."
