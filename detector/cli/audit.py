"""`detector audit`: bound a model's privacy loss from confidences, and hold it against what was declared."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from detector.cli.common import output_options, print_json
from detector.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detector.audit.declared import Declared
    from detector.audit.service import Audit

_PARTS = {"noise": "noise_multiplier", "rate": "sampling_rate", "steps": "steps"}
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--members", type=_FILE, help="Confidences of records that were trained on.")
@click.option("--holdout", type=_FILE, help="Confidences of records of the same kind that were not.")
@click.option("--canaries", type=_FILE, help="Instead of both: planted records with a column `included`.")
@click.option("--column", default="confidence", show_default=True, help="Column of the confidence in the true class.")
@click.option(
    "--runs",
    type=click.Choice(["one", "many"]),
    default="one",
    show_default=True,
    help="Whether one trained model gave all confidences, or each comes from a training run of its own.",
)
@click.option("--delta", type=float, default=1e-5, show_default=True, help="δ of the bounds and of what was declared.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Confidence of each bound.")
@click.option("--declared", metavar="noise=,rate=,steps=", help="Parameters of the private training: computes its ε.")
@output_options
@click.option("--as-of", expose_value=False, hidden=True, help="Accepted by every command; this one has no clock.")
def audit(
    *,
    members: Path | None,
    holdout: Path | None,
    canaries: Path | None,
    column: str,
    runs: str,
    delta: float,
    confidence: float,
    declared: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Bound a model's privacy loss from below, and say whether that contradicts what was declared.

    The files are Parquet, CSV or JSON Lines (gzip and zstd too), a record a row, with the model's confidence in the
    record's true class, or with probabilities and label.
    """
    from detector.audit.service import Runs
    from detector.audit.service import audit as examine

    promised = _declared(declared, delta) if declared is not None else None
    inside, outside = _confidences(members, holdout, canaries, column)
    found = examine(inside, outside, delta=delta, confidence=confidence, runs=Runs(runs), declared=promised)
    if as_json:
        print_json(document(found))
    elif not quiet:
        _show(found)


def _confidences(
    members: Path | None, holdout: Path | None, canaries: Path | None, column: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from detector.audit.reading import read_confidences
    from detector.audit.service import split_canaries

    if canaries is not None and members is None and holdout is None:
        return split_canaries(read_confidences(canaries, column))
    if members is not None and holdout is not None and canaries is None:
        return read_confidences(members, column).values, read_confidences(holdout, column).values
    raise UsageError("the audit needs two groups of records", expected="--members and --holdout, or --canaries alone")


def _declared(text: str, delta: float) -> Declared:
    """Return the ε that `noise=..,rate=..,steps=..` promises.

    Raises:
        UsageError: the parameters are not these, or out of their ranges.
        AuditError: dp-accounting is not installed.
    """
    from pydantic import ValidationError

    from detector.audit.declared import declared_epsilon
    from detector.config import Privacy

    pairs = [part.partition("=") for part in text.split(",")]
    given = {name.strip(): value.strip() for name, _, value in pairs}
    if set(given) != set(_PARTS) or len(pairs) != len(_PARTS):
        raise UsageError(f"--declared {text!r} cannot be read", expected="noise=1.1,rate=0.01,steps=1000")
    values: dict[str, Any] = {_PARTS[name]: value for name, value in given.items()}
    try:
        return declared_epsilon(Privacy(**values, delta=delta))
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--declared {first['loc'][0]}, or --delta: {first['msg']}") from error


def document(audit: Audit) -> dict[str, Any]:
    """Return an audit as a JSON document; what is unbounded is null."""
    from detector.audit import words

    found = dataclasses.asdict(dataclasses.replace(audit, declared=None))
    declared = audit.declared
    finite = declared is not None and declared.epsilon != float("inf")
    found["declared"] = declared and {
        **declared.privacy.model_dump(),
        "epsilon": declared.epsilon if finite else None,
        "accountant": declared.accountant,
    }
    return {**found, "epsilon": audit.epsilon, "verdict": audit.verdict, "sentence": words.sentence(audit)}


def _show(audit: Audit) -> None:
    from rich.table import Table

    from detector.audit import words
    from detector.cli.terminal import say, show

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    facts = words.declared_facts(audit.declared.privacy, audit.declared) if audit.declared is not None else ()
    for name, value in (*words.audit_facts(audit), *facts):
        table.add_row(name, value)
    show(table)
    say(f"\n{words.sentence(audit)}\n{words.PREMISES[audit.runs]}")
