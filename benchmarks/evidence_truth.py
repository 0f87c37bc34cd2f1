"""What really came of labelled inversions, by arithmetic of its own: nothing here is shared with the product."""

from __future__ import annotations

import difflib
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_BESIDE = frozenset({"label", "record_id"})
_CLOSER = 0.99


@dataclass(frozen=True, eq=False)
class Final:
    """One score-guided inversion and what its attacker kept.

    Attributes:
        model, trace, family, variant: as labels.csv names them.
        target: the class pursued.
        accounts: who sent its queries.
        first_ts, last_ts: UTC microseconds, of all its accounts.
        results: the attacker's own final result as it was logged; several where a log alone tells, and several
            queries were answered equally well.
    """

    model: str
    trace: str
    family: str
    variant: str
    target: str
    accounts: frozenset[str]
    first_ts: int
    last_ts: int
    results: tuple[Any, ...]


@dataclass(frozen=True)
class Truth:
    """What a final result is to the people in the training data.

    Attributes:
        closer: share of hold-out records that lie farther from their nearest training record than it does.
        apart: the same of that distance divided by the one to the nearest hold-out record (of a hold-out record: to
            the nearest other one).
    """

    closer: float
    apart: float

    @property
    def near(self) -> bool:
        """Whether it lies nearer to a training record than 99 of 100 hold-out records do."""
        return self.closer >= _CLOSER

    @property
    def discloses(self) -> bool:
        """Whether it does, and no new record explains that as well."""
        return self.near and self.apart >= _CLOSER


class Space(Protocol):
    """Where inputs of one model lie."""

    def __call__(self, inputs: Sequence[Any]) -> NDArray[np.float64]:
        """Return coordinates, a row an input, between which Euclidean distances mean something."""
        ...


@dataclass(frozen=True, eq=False)
class Yardstick:
    """The samples of one model, and how near their records lie to each other."""

    place: Space
    members: NDArray[np.float64]
    others: NDArray[np.float64]

    @classmethod
    def of(cls, folder: Path, model: str) -> Yardstick:
        """Read the samples of `model` in the folder `reference` of `folder`."""
        train, holdout = (_sample(folder / "reference" / f"{model}_{kind}.parquet") for kind in ("train", "holdout"))
        place = _space([*train, *holdout])
        return cls(place, place(train), place(holdout))

    def truth(self, result: Any) -> Truth:  # noqa: ANN401 - a vector, a record or a text
        """Return how near a final result comes to the training records, against how near new records come."""
        point = self.place([result])
        usual, own = _nearest(self.others, self.members), _nearest(point, self.members)[0]
        beside = _nearest(self.others, self.others, itself=True)
        ratio = own / max(_nearest(point, self.others)[0], 1e-9)
        return Truth(float(np.mean(usual > own)), float(np.mean(usual / np.maximum(beside, 1e-9) > ratio)))

    def off(self, recovered: Any, result: Any) -> float:  # noqa: ANN401 - as above
        """Return how far a recovered input lies from a result, as a share of the result's own length."""
        if isinstance(result, str):
            return 1.0 - difflib.SequenceMatcher(None, str(recovered), result, autojunk=False).ratio()
        if not isinstance(result, dict):
            kept = np.asarray(result, dtype=np.float64)
            found = np.asarray(recovered, dtype=np.float64)
            apart = float(np.linalg.norm(found - kept)) if found.shape == kept.shape else np.inf
            return apart / max(float(np.linalg.norm(kept)), 1e-12)
        found, kept = self.place([recovered, result])
        return float(np.linalg.norm(found - kept) / max(float(np.linalg.norm(kept)), 1e-12))


def finals(folder: Path) -> list[Final]:
    """Return the score-guided inversions of a labelled folder, by model and trace.

    Their results are those of results.parquet. Without it they are read off the log: the queries of the attack that
    were answered with the highest probability of its target.
    """
    labels = pd.read_csv(folder / "labels.csv", dtype=str, keep_default_na=False)
    chosen = labels[(labels["technique"] == "inversion") & (labels["final_confidence"] != "")]
    recorded = folder / "results.parquet"
    found = []
    kept = _recorded(recorded) if recorded.exists() else _logged(folder, chosen)
    for (model, trace), rows in chosen.groupby(["model", "trace_id"], sort=True):
        results = [each for client in rows["client_id"] for each in kept.get((client, model), ())]
        if results:
            first, last = rows["first_ts"].map(_micro).min(), rows["last_ts"].map(_micro).max()
            one = rows.iloc[0]
            who = frozenset(rows["client_id"])
            found.append(
                Final(model, trace, one["family"], one["variant"], one["target"], who, first, last, tuple(results))
            )
    return found


def _recorded(file: Path) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for row in pq.read_table(file).to_pylist():
        result = row["input_text"] or row["input_vector"]
        if row["input_record"] is not None:
            result = json.loads(row["input_record"])
        found[row["client_id"], row["model"]] = [result]
    return found


def _logged(folder: Path, attacks: pd.DataFrame) -> dict[tuple[str, str], list[Any]]:
    """Return the best answered inputs of each attack; of accounts that share one, those of the best of them."""
    wanted = {(row.client_id, row.model): row for row in attacks.itertuples()}
    best: dict[tuple[str, str], float] = {}
    found: dict[tuple[str, str], list[Any]] = {}
    for line in _lines(folder, {client for client, _ in wanted}):
        key = (line["client_id"], line["model"])
        attack = wanted.get(key)
        if attack is None or not attack.first_ts <= line["timestamp"] <= attack.last_ts:
            continue
        value = _probability(line.get("output") or {}, attack.target)
        if value > best.get(key, -1.0):
            best[key], found[key] = value, []
        if value == best.get(key):
            found[key].append(line["input"])
    top = {trace: max(best.get((one.client_id, one.model), -1.0) for one in rows.itertuples())
           for trace, rows in attacks.groupby("trace_id")}  # fmt: skip
    return {key: rows for key, rows in found.items() if best[key] == top[wanted[key].trace_id]}


def _lines(folder: Path, clients: set[str]) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                # The id stands in the first fields; most lines are somebody else's.
                if any(client in line[:200] for client in clients):
                    yield json.loads(line)


def _probability(output: dict[str, Any], target: str) -> float:
    listed = output.get("probabilities")
    if isinstance(listed, dict):
        return float(listed.get(target, -1.0))
    confidence = output.get("confidence")
    return float(confidence) if output.get("label") == target and confidence is not None else -1.0


def _micro(moment: str) -> int:
    return int(pd.Timestamp(moment).value // 1_000)


def _sample(file: Path) -> list[Any]:
    table = pq.read_table(file)
    for column in ("input_vector", "text"):
        if column in table.column_names:
            return list(table[column].to_pylist())
    return list(table.drop_columns([name for name in table.column_names if name in _BESIDE]).to_pylist())


def _space(known: list[Any]) -> Space:
    """Return the coordinates that suit `known` inputs.

    Images as they are; other numbers as shares of their range; categories as indicators, so that two that differ lie
    one unit apart; texts as the shares of their words.
    """
    if isinstance(known[0], str):
        return _words(known)
    if isinstance(known[0], dict):
        return _fields(known)
    rows = np.asarray(known, dtype=np.float64)
    low, high = rows.min(axis=0), rows.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    if low.min() >= 0 and high.max() <= 1:
        span = np.ones_like(span)
    return lambda inputs: np.asarray(inputs, dtype=np.float64) / span


def _fields(known: list[dict[str, Any]]) -> Space:
    names = list(known[0])
    numbers = [name for name in names if all(isinstance(row[name], int | float) for row in known)]
    levels = {name: sorted({str(row[name]) for row in known}) for name in names if name not in numbers}
    span = {name: (max(row[name] for row in known) - min(row[name] for row in known)) or 1.0 for name in numbers}

    def place(inputs: Sequence[Any]) -> NDArray[np.float64]:
        rows = [
            [float(row[name]) / span[name] for name in numbers]
            + [0.5**0.5 * (str(row[name]) == level) for name, each in levels.items() for level in each]
            for row in inputs
        ]
        return np.asarray(rows, dtype=np.float64)

    return place


def _words(known: Iterable[str]) -> Space:
    numbered = {word: number for number, word in enumerate(sorted({word for text in known for word in text.split()}))}

    def place(inputs: Sequence[Any]) -> NDArray[np.float64]:
        rows = np.zeros((len(inputs), len(numbered) + 1))
        for row, text in zip(rows, inputs, strict=True):
            for word in text.split():
                row[numbered.get(word, -1)] += 1.0
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    return place


def _nearest(points: NDArray[np.float64], among: NDArray[np.float64], *, itself: bool = False) -> NDArray[np.float64]:
    """Return the distance of each point to the nearest row, or to the nearest other one where it is one of them."""
    least: Callable[[NDArray[np.float64]], float] = (lambda gaps: np.partition(gaps, 1)[1]) if itself else np.min
    return np.array([least(np.linalg.norm(among - point, axis=1)) for point in points])
