"""The truth about a log: labels.csv, one row a client and model."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.errors import EvaluationError
from detector.model import Technique
from detector.store.incident_bodies import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

BENIGN = "benign"
REQUIRED = (
    "client_id", "model", "is_attack", "technique", "family", "variant", "trace_id", "first_ts", "last_ts",
    "n_attack_queries", "n_queries",
)  # fmt: skip
_NAMED = ("client_id", "model", "technique", "family", "variant", "trace_id")
_WORDS = {"true": True, "false": False}
_ZONED = r"(?:[Zz]|[+-]\d\d:?\d\d)$"


@dataclass(frozen=True)
class Labels:
    """A labels file that was read and checked.

    Attributes:
        file: where it came from.
        frame: a row a client and model, in the order of the file. Columns `client`, `model`, `attack` (bool),
            `technique`, `family`, `variant`, `trace` (text), `first_ts`, `last_ts` (int64, UTC microseconds: of the
            attack, or of a benign client's activity), `attack_queries` (int64), `success` (True, False or None).
    """

    file: Path
    frame: pd.DataFrame


def read_labels(file: Path) -> Labels:
    """Read a labels file.

    Raises:
        EvaluationError: it cannot be read, a column is missing, or a value is not what it should be; with the line.
    """
    raw = _table(file)
    check = _Check(file, raw)
    for name in _NAMED:
        check.demand(name, raw[name].str.len().to_numpy() > 0, "a value")
    attack = check.words("is_attack")
    technique = raw["technique"].str.lower()
    check.demand("technique", technique.isin([BENIGN, *Technique]).to_numpy(), f"{BENIGN}, {', '.join(Technique)}")
    named = (technique != BENIGN).to_numpy()
    check.demand("technique", named == attack, "benign where is_attack is False, and a technique where it is True")
    success = raw["success"].str.lower().map(_WORDS) if "success" in raw else pd.Series(None, raw.index, dtype=object)
    frame = pd.DataFrame(
        {
            "client": raw["client_id"].map(clean),
            "model": raw["model"].map(clean),
            "attack": attack,
            "technique": technique,
            "family": raw["family"],
            "variant": raw["variant"],
            "trace": raw["trace_id"],
            "first_ts": check.moments("first_ts"),
            "last_ts": check.moments("last_ts"),
            "attack_queries": check.counts("n_attack_queries"),
            "success": success.astype(object).where(success.notna(), None),
        }
    )
    check.counts("n_queries")
    check.demand("last_ts", (frame["last_ts"] >= frame["first_ts"]).to_numpy(), "a time not before first_ts")
    check.demand("client_id", ~frame.duplicated(["client", "model"]).to_numpy(), "one row a client and model")
    _check_traces(check, frame)
    return Labels(file, frame)


def _check_traces(check: _Check, frame: pd.DataFrame) -> None:
    """See to it that the accounts of one attack are said to do the same."""
    attack = frame[frame["attack"]]
    traces = attack.groupby(["model", "trace"], sort=False)
    for name in ("technique", "family", "variant"):
        same = pd.Series(True, frame.index)
        same[attack.index] = attack[name] == traces[name].transform("first")
        check.demand(name, same.to_numpy(dtype=bool), "the same for every account of a trace_id")


@dataclass(frozen=True)
class _Check:
    """The file's cells as text, and refusing them with their line; column `line` tells where each row stands."""

    file: Path
    raw: pd.DataFrame

    def demand(self, column: str, fine: NDArray[np.bool_], expected: str) -> None:
        """Raise for the first row that is not fine."""
        if not fine.all():
            row = self.raw.iloc[int(np.argmin(fine))]
            raise EvaluationError(
                f"{column} is {str(row[column])[:80]!r}", file=self.file, line=int(row["line"]), expected=expected
            )

    def words(self, column: str) -> NDArray[np.bool_]:
        """Return a column of True and False."""
        told = self.raw[column].str.lower().map(_WORDS)
        self.demand(column, told.notna().to_numpy(), "True or False")
        return told.to_numpy(dtype=bool)

    def moments(self, column: str) -> NDArray[np.int64]:
        """Return a column of times with a zone as UTC microseconds."""
        text = self.raw[column]
        told = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
        zoned = text.str.contains(_ZONED, regex=True)
        self.demand(column, (told.notna() & zoned).to_numpy(), "an ISO-8601 time with a zone")
        return np.asarray(told.dt.as_unit("us").astype("int64"), dtype=np.int64)

    def counts(self, column: str) -> NDArray[np.int64]:
        """Return a column of whole numbers."""
        told = pd.to_numeric(self.raw[column], errors="coerce")
        whole = told.notna() & (told >= 0) & (told < 1e15) & (told == np.floor(told))
        self.demand(column, whole.to_numpy(), "a whole number, 0 or more")
        return told.to_numpy(dtype=np.int64)


def _table(file: Path) -> pd.DataFrame:
    """Return the cells of the file as text, with the line on which each row ends."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(_rows(file, text))
    except OSError as error:
        raise EvaluationError(f"the labels cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise EvaluationError("the labels are no UTF-8 text", file=file, expected="a CSV file") from error
    header = rows[0][1] if rows else []
    missing = [name for name in REQUIRED if name not in header]
    if missing or len(set(header)) != len(header):
        what = f"there is no column {missing[0]}" if missing else "a column is named twice"
        raise EvaluationError(what, file=file, line=1, expected=f"the columns {', '.join(REQUIRED)}")
    if len(rows) == 1:
        raise EvaluationError("there is no row below the header", file=file, line=1, expected="a row a client")
    for line, row in rows:
        if len(row) != len(header):
            raise EvaluationError(f"{len(row)} cells", file=file, line=line, expected=f"{len(header)}, as the header")
    return pd.DataFrame([row for _, row in rows[1:]], columns=header, dtype=object).assign(
        line=[line for line, _ in rows[1:]]
    )


def _rows(file: Path, text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with its last line."""
    reader = csv.reader(text, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise EvaluationError(f"this is no CSV: {error}", file=file, line=reader.line_num) from error
