"""Everything that the checklist looks at, gathered once for an incident."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from detector.model import InputKind, Operation, Technique

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from detector.config import ModelSettings
    from detector.evidence.canaries import Approach
    from detector.evidence.phases import Phase
    from detector.evidence.space import Space
    from detector.model import EntityKind, Incident
    from detector.store.decode import Probabilities
    from detector.store.evidence import PinnedLine, SourceFile

RECONSTRUCTING = frozenset({Technique.INVERSION, Technique.ATTRIBUTE})
"""Techniques whose result is an input that resembles training data."""

WHITE_BOX = frozenset({Operation.GRADIENTS.value, Operation.EXPLAIN.value})
"""Operations whose answers tell about the weights, not only about the input."""


@dataclass(frozen=True, eq=False)
class Queries:
    """The telling queries, in time order: one column an attribute, all of one length.

    Attributes:
        id, ts, file_id, line, row_index, input_kind, input_bytes: int64.
        client, endpoint, operation, label: text or None.
        status, confidence: float64, NaN where the log has none; the confidence falls back to the largest probability.
        probabilities: a row a query.
    """

    id: NDArray[np.int64]
    ts: NDArray[np.int64]
    client: NDArray[np.object_]
    file_id: NDArray[np.int64]
    line: NDArray[np.int64]
    row_index: NDArray[np.int64]
    endpoint: NDArray[np.object_]
    operation: NDArray[np.object_]
    status: NDArray[np.float64]
    label: NDArray[np.object_]
    confidence: NDArray[np.float64]
    input_kind: NDArray[np.int64]
    input_bytes: NDArray[np.int64]
    probabilities: Probabilities

    def __len__(self) -> int:
        return len(self.id)

    def take(self, rows: NDArray[np.int64]) -> Queries:
        """Return the queries `rows`."""
        columns = {one.name: getattr(self, one.name)[rows] for one in fields(self) if one.name != "probabilities"}
        values = replace(self.probabilities, values=self.probabilities.values[rows])
        return Queries(**columns, probabilities=values)


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of the telling queries, as many as a fixed budget of bytes holds, the most telling first.

    Attributes:
        rows: index into the queries of each row held, ascending.
        kind: what the inputs are.
        vectors: float32, a row a row held; no columns where inputs are not vectors.
        payloads: canonical JSON or text, a row a row held; empty where inputs are vectors.
    """

    rows: NDArray[np.int64]
    kind: InputKind
    vectors: NDArray[np.float32]
    payloads: tuple[bytes | None, ...] = ()

    @property
    def dimension(self) -> int:
        """Number of values of a vector input, 0 where inputs are not vectors."""
        return int(self.vectors.shape[1])

    def place(self, row: int) -> int | None:
        """Return where the input of query `row` lies, None where it is not held."""
        place = int(self.rows.searchsorted(row))
        return place if place < len(self.rows) and self.rows[place] == row else None

    def vector(self, row: int) -> NDArray[np.float32] | None:
        """Return the vector input of query `row`, None where there is none."""
        place = self.place(row)
        if place is None or not self.dimension or self.vectors[place, 0] != self.vectors[place, 0]:
            return None
        vector: NDArray[np.float32] = self.vectors[place]
        return vector

    def payload(self, row: int) -> bytes | None:
        """Return the record or text of query `row`, None where there is none."""
        place = self.place(row)
        return self.payloads[place] if place is not None and self.payloads else None


@dataclass(frozen=True)
class Stretch:
    """A named part of a pursuit: from its query number `first` up to but not including `end`."""

    name: str
    meaning: str
    first: int
    end: int


@dataclass(frozen=True, eq=False)
class Pursuit:
    """One class that the attacker went after.

    Attributes:
        target: the class's name.
        clients: who went after it.
        rows: indices of the queries of this pursuit, in time order.
        probability: of the class, a value a row; NaN where the answer does not tell.
        best_so_far: running maximum of it.
        start: median of the first answers of the pursuit.
        final: the largest one.
        best: the queries where the climb converged, the best first (indices of queries, as `rows`).
        stretches: its phases, in order.
        named_by: what told the class: a finding's rule, or the rise itself.
        scored: whether the answers held scores; without them only labels tell.
    """

    target: str
    clients: tuple[str, ...]
    rows: NDArray[np.int64]
    probability: NDArray[np.float64]
    best_so_far: NDArray[np.float64]
    start: float
    final: float
    best: tuple[int, ...]
    stretches: tuple[Stretch, ...]
    named_by: str
    scored: bool

    @property
    def rise(self) -> float:
        """How much probability was gained."""
        return self.final - self.start


@dataclass(frozen=True, eq=False)
class Reference:
    """A comparison group's answers and inputs.

    Attributes:
        confidence: float64, the confidence of each answer that told one.
        vectors: float32, some of its inputs; no rows where inputs are not vectors.
        clients: how many clients they come from.
        nights: the nights that they come from.
    """

    confidence: NDArray[np.float64]
    vectors: NDArray[np.float32]
    clients: int
    nights: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Trace:
    """All telling queries, also those that are not held, in time order.

    Attributes:
        ts: int64.
        client: int32, equal for queries of one client.
        near: float32, distance to the nearest different one among the last queries of the same client, in units of the
            median distance between two ordinary inputs; infinite where none came before, NaN where it is not known.
        held: int64, where each query held lies among them.
        begins: first microsecond of the first night: from there hours and nights are counted.
    """

    ts: NDArray[np.int64]
    client: NDArray[np.int32]
    near: NDArray[np.float32]
    held: NDArray[np.int64]
    begins: int

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, eq=False)
class Bystanders:
    """The model's benign clients in the latest nights of an incident: in no open incident above low.

    Attributes:
        clients: how many.
        nights: which nights were counted.
        peak_hour: int64, each client's queries in its busiest hour.
        busiest_night: int64, each client's queries in its busiest night.
        scored: bool, whether it was ever answered with a confidence or probabilities.
        near: float64, its near-duplicates in the night that had most, NaN where that was not measured.
        decimals: digits after the point of the scores that they got, None where they got none.
    """

    clients: int
    nights: tuple[str, ...]
    peak_hour: NDArray[np.int64]
    busiest_night: NDArray[np.int64]
    scored: NDArray[np.bool_]
    near: NDArray[np.float64]
    decimals: int | None


@dataclass(frozen=True, eq=False)
class Timeline:
    """Queries of the incident's clients by bin of equal width, over the incident's nights.

    Attributes:
        first_ts: where the first bin begins.
        width: of a bin, microseconds.
        all: all queries of the clients on the model.
        telling: those behind the findings.
        nights: start of each night that lies within.
    """

    first_ts: int
    width: int
    all: NDArray[np.int64]
    telling: NDArray[np.int64]
    nights: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Peculiarity:
    """One feature of one window against the model's other clients of that night.

    Attributes:
        feature: its name.
        value: of the incident's window.
        peers: values of the other clients' windows, ascending.
        below: share of the peers with a smaller value.
        tail: minus log10 of the tail probability under the baseline, where there is one.
        triggered: whether a finding rests on it.
    """

    feature: str
    value: float
    peers: NDArray[np.float64]
    below: float
    tail: float | None
    triggered: bool


@dataclass(frozen=True)
class WindowPortrait:
    """The features of one of the incident's windows."""

    entity_kind: EntityKind
    entity_id: str
    night: date
    query_count: int
    peculiarities: tuple[Peculiarity, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """A training or hold-out sample that the site named.

    Attributes:
        name: the file's name.
        vectors: float32, a row a record, in the space in which inputs are compared.
        labels: a row a record, as text; None where there is no such column.
        records: how many the file holds; `vectors` may hold fewer.
        ids: what the site calls each record; empty where the file has no column record_id.
        content: the records or texts themselves, a value a row; empty where they are vectors.
        step: every how manieth row of the file is held.
    """

    name: str
    vectors: NDArray[np.float32]
    labels: NDArray[np.object_] | None
    records: int
    ids: tuple[str | None, ...] = ()
    content: tuple[Mapping[str, Any] | str, ...] = ()
    step: int = 1


@dataclass(frozen=True, eq=False)
class Training:
    """What the site gave to compare reconstructions with.

    Attributes:
        members, others: the training and the hold-out sample, where given and readable.
        spacing: distance of each hold-out record (without one: of each training record) to the nearest other
            training record, ascending: how near records lie that are not a copy of each other.
        contrast: that distance divided by the one to the nearest hold-out record other than itself (without a
            hold-out: to the second nearest training record), ascending. An average of many records is near to members
            and others alike; a memorised record is near to one.
        space: how inputs become rows of the samples' vectors.
        problem: why one of the two cannot be used, in a sentence.
    """

    members: Sample | None = None
    others: Sample | None = None
    spacing: NDArray[np.float64] | None = None
    contrast: NDArray[np.float64] | None = None
    space: Space | None = None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class IncidentContext:
    """What is known about one incident.

    Attributes:
        incident: as the incidents stage made it.
        settings: what the site tells of the model.
        queries: the telling queries that are held here, at most `gather.MAX_QUERIES`.
        query_total: how many telling queries the store has; more than are held where there were too many.
        telling_ids: the store's numbers of all of them, in time order; None where those held are all.
        phases: the attack's phases, in the order in which they begin.
        trace: when and how near to each other all of them came; None where the store has none.
        bystanders: the benign clients of these nights; None where there were none.
        approach: how the queries came near canaries; None where none are declared or no query is held.
        inputs: of the queries.
        classes: the model's class names as far as the log showed them.
        pursuits: the classes gone after, the most telling first; empty where no class was.
        patterns: what each query shows, a word a query: the phase of the attack that it belongs to.
        files: the log files that the queries come from.
        before: the same clients' answers before the attack; None where they had none.
        peers: clients of the model in no incident above low; None where there were none.
        timeline: queries over time.
        portraits: features of the incident's windows.
        training: samples to compare with.
        baseline: id of the baseline that judged the incident, None where none did.
        coverage: sentences about what the log did not let us see.
        shares: of the telling queries that hold an input, an output, scores: name to share.
        pinned: the raw lines kept with the incident.
        raw_problems: why raw lines could not be read again.
    """

    incident: Incident
    settings: ModelSettings
    queries: Queries
    query_total: int
    inputs: Inputs
    classes: tuple[str, ...]
    pursuits: tuple[Pursuit, ...]
    patterns: NDArray[np.object_]
    files: tuple[SourceFile, ...]
    before: Reference | None
    peers: Reference | None
    timeline: Timeline | None
    portraits: tuple[WindowPortrait, ...]
    training: Training
    baseline: str | None
    coverage: tuple[str, ...]
    shares: Mapping[str, float] = field(default_factory=dict)
    pinned: tuple[PinnedLine, ...] = ()
    raw_problems: tuple[str, ...] = ()
    telling_ids: NDArray[np.int64] | None = None
    phases: tuple[Phase, ...] = ()
    trace: Trace | None = None
    bystanders: Bystanders | None = None
    approach: Approach | None = None

    @property
    def reconstructs(self) -> bool:
        """Whether some technique of the incident ends in an input that resembles training data."""
        return any(technique in RECONSTRUCTING for technique in self.incident.techniques)

    def file(self, file_id: int) -> SourceFile | None:
        """Return the log file of that number."""
        return next((file for file in self.files if file.id == file_id), None)
