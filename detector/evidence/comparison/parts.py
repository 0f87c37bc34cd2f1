"""What item 5 consists of, and its verdicts in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detector.model import EvidenceItem

Verdict = Literal["a record", "closer to a person", "like a real record", "the class only"]

WORDS: dict[Verdict, str] = {
    "a record": "It equals a training record: treat {record} as disclosed.",
    "closer to a person": (
        "It is closer to a training record, measured against the next nearest record, than {share} of non-members are: "
        "treat {record} as disclosed."
    ),
    "like a real record": (
        "It recovers the class, not a person: it lies as close to a training record as an ordinary new record does."
    ),
    "the class only": "It recovers the class, not a person: {why}.",
}
FAR = 0.05
"""What is closer to a training record than no more than this share of non-members lies far from all."""
_SHOWN = 2


@dataclass(frozen=True)
class Measure:
    """How alike two inputs are by one measure.

    Attributes:
        name: of the measure, with its unit.
        member: of the reconstruction and its nearest training record.
        other: of the reconstruction and its nearest hold-out record, None without one.
        guessed: of what would be guessed without the model and that training record, None where nothing would be.
    """

    name: str
    member: float
    other: float | None = None
    guessed: float | None = None


@dataclass(frozen=True)
class Disclosed:
    """A training record that is to be treated as known to the attacker: whom it is about is to be notified.

    Attributes:
        record_id: what the site calls it, None where the sample does not say.
        sample: the file's name.
        row: row of that file, counted from 1.
        query: the query that discloses it: index into the queries.
    """

    record_id: str | None
    sample: str
    row: int
    query: int

    @property
    def shown(self) -> str:
        """How the report names it: the id masked, for the report reaches more eyes than the bundle."""
        if self.record_id is None:
            return f"the record in row {self.row:,} of {self.sample}"
        return f"record {masked(self.record_id)}"


@dataclass(frozen=True)
class Closeness:
    """One reconstruction against the samples.

    Attributes:
        target: the class pursued.
        row: the query that is the reconstruction.
        to_member: distance to the nearest training record.
        member_label: label of that record.
        to_other: distance to the nearest hold-out record, None without a hold-out sample.
        closer_than: share of the hold-out records (without a sample of them: of the training records) whose own
            nearest training record lies farther away.
        verdict: what that means.
        contrast: `to_member` divided by `to_other`, or by the distance to the second nearest training record.
        apart: share of the hold-out records (else training records) whose contrast is larger.
        p: permutation p-value: the rank of the contrast among theirs, the reconstruction counted with them.
        nearest: the nearest training record.
        measures: how alike the two are.
        fields: of records: each field, whether it agrees, and whether a guess without the model does.
    """

    target: str
    row: int
    to_member: float
    member_label: str | None
    to_other: float | None
    closer_than: float
    verdict: Verdict
    contrast: float
    apart: float
    p: float
    nearest: Disclosed
    measures: tuple[Measure, ...] = ()
    fields: tuple[tuple[str, bool, bool], ...] = ()

    @property
    def discloses(self) -> bool:
        """Whether the nearest training record is to be treated as disclosed."""
        return self.verdict in {"a record", "closer to a person"}


@dataclass(frozen=True)
class Probed:
    """How many of the probed inputs are records of the samples, to a thousandth of their spacing."""

    inputs: int
    members: int
    others: int | None


@dataclass(frozen=True, eq=False)
class ComparisonEvidence:
    """Item 5.

    Attributes:
        item: the line of the checklist.
        closeness: a row a reconstruction.
        spacing: how near records lie to each other by themselves, ascending.
        probed: for membership incidents, which records were asked for.
        disclosed: training records to be treated as known to the attacker, and those whose membership is.
        not_measured: what a missing package kept from being measured, in sentences.
    """

    item: EvidenceItem
    closeness: tuple[Closeness, ...] = ()
    spacing: NDArray[np.float64] | None = None
    probed: Probed | None = None
    disclosed: tuple[Disclosed, ...] = ()
    not_measured: tuple[str, ...] = ()


def told(one: Closeness) -> str:
    """Return the verdict in words, the record named as the report may name it."""
    # Rounding up would claim more than was seen.
    share = f"{int(one.apart * 100)} %"
    return WORDS[one.verdict].format(record=one.nearest.shown, share=share, why=_why(one))


def _why(one: Closeness) -> str:
    """Return what keeps a reconstruction from being a person's record."""
    if one.closer_than <= FAR:
        return "it lies farther from every training record than real records do"
    if one.fields and sum(agrees for _, agrees, _ in one.fields) <= sum(guessed for _, _, guessed in one.fields):
        return "a guess without the model agrees with the nearest training record on as many fields"
    return "it lies close to many records at once, and not much closer to one trained on than to others"


def masked(record_id: str) -> str:
    """Return the first characters of an id, fewer of a short one; what is no letter or digit as a dot."""
    kept = record_id[: min(_SHOWN, len(record_id) // 3)]
    return "".join(letter if letter.isascii() and letter.isalnum() else "·" for letter in kept) + "…"
