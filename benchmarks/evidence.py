"""Measure items 2 and 5 of the evidence on labelled nights: was the attacker's own result recovered, and whose is it?

Usage: python benchmarks/evidence.py FOLDER... [--out DIR] [--work DIR]

A FOLDER is what `detector simulate --out` wrote, or any with logs in the generic layout, labels.csv and `reference/`
with MODEL_train.parquet and MODEL_holdout.parquet. Its nights are loaded and judged as `detector run` does it, in a
scratch store; then the incidents that name an attacker go through `detector.evidence.capture`, as for the report.
Writes evidence.json to DIR and prints a table by family and by model:

detected
    score-guided inversions (labels.csv says which confidence the attacker was shown) of which an account is in an
    incident of medium severity or higher in a night of its attack;
recovered
    of these, those whose reconstruction lies within 1 % (L2, relative to the length of the attacker's own result) of
    what the attacker kept: results.parquet, each attacker's best queried input; without that file the queries that
    were answered best. The reconstruction is the first one that the report shows for the class pursued by that account;
shown
    the same, if any of the inputs counts that the report shows for the account;
right
    of the detected ones, those where item 5 says the truth: that a training record is to be treated as disclosed, or
    that it is not. The truth is worked out here, with plain numpy, from the attacker's own result: it discloses if it
    lies nearer to its nearest training record than 99 % of hold-out records lie to theirs, and if that distance over
    the one to its nearest hold-out record is smaller than for 99 % of hold-out records, too. Without the second part
    an average of many people would count as a disclosure, for the middle of a crowd is near to everybody in it;
nearness alone
    the same without the second part.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence_truth import Yardstick, finals

from detector.config import Settings, load_settings
from detector.evaluate.labels import read_labels
from detector.evidence.capture import capture
from detector.model import IncidentStatus, Severity
from detector.store.engine import Store
from detector.store.incidents import list_incidents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evidence_truth import Final

    from detector.evidence.checklist import Dossier
    from detector.evidence.reconstruction import Frame
    from detector.model import Incident

WITHIN = 0.01
AS_OF = "2030-01-01T00:00:00Z"
_DAY = 86_400_000_000
_EPOCH = 719_163
_UNHEARD = frozenset({IncidentStatus.SUPPRESSED, IncidentStatus.MERGED})
_ENDED_WELL = frozenset({0, 11, 12, 13, 14})


@dataclass(frozen=True)
class Row:
    """One score-guided inversion, and what the evidence made of it.

    Attributes:
        folder, model, family, variant, trace, target: which one.
        incident: the gravest incident that names one of its accounts, None where none does.
        off: distance of the first reconstruction to the attacker's own result, as a share of the latter's length.
        nearest_shown: the same of the best of all inputs shown.
        closer, apart: see `evidence_truth.Truth`.
        near, discloses: the truth of item 5, by nearness alone and in full.
        verdict: what item 5 says of the reconstruction; None where it says nothing.
        told: whether it says that a record is to be treated as disclosed.
    """

    folder: str
    model: str
    family: str
    variant: str
    trace: str
    target: str
    incident: str | None
    off: float
    nearest_shown: float
    closer: float
    apart: float
    near: bool
    discloses: bool
    verdict: str | None
    told: bool

    @property
    def recovered(self) -> bool:
        """Whether the first reconstruction is what the attacker kept."""
        return self.off <= WITHIN

    @property
    def shown(self) -> bool:
        """Whether any input shown is."""
        return self.nearest_shown <= WITHIN

    @property
    def right(self) -> bool:
        """Whether item 5 says the truth."""
        return self.verdict is not None and self.told == self.discloses

    @property
    def right_by_nearness(self) -> bool:
        """Whether it says the truth by nearness alone."""
        return self.verdict is not None and self.told == self.near


_FIGURES: dict[str, Callable[[Row], bool]] = {
    "recovered": lambda row: row.recovered,
    "shown": lambda row: row.shown,
    "right": lambda row: row.right,
    "nearness alone": lambda row: row.right_by_nearness,
}


def main() -> None:
    """Run, look, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=Path("evidence"), help="folder for evidence.json [evidence]")
    parser.add_argument("--work", type=Path, help="folder for databases, which are kept and used again [temporary]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evidence-") as scratch:
        work = arguments.work or Path(scratch)
        rows = [row for folder in arguments.folders for row in measure(folder, work / folder.resolve().name)]
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "evidence.json").write_text(json.dumps(as_json(rows), indent=2) + "\n", encoding="utf-8")
    print(table(rows))


def measure(folder: Path, work: Path) -> list[Row]:
    """Return a row for each score-guided inversion of a labelled folder; `work` is a folder for its database."""
    settings = judged(folder, work)
    store = Store(settings.db)
    try:
        found = finals(folder)
        with store.begin() as connection:
            listed = [
                one
                for one in list_incidents(connection, severity_at_least=Severity.MEDIUM)
                if one.status not in _UNHEARD and any(_names(one, final) for final in found)
            ]
        yardsticks = {model: Yardstick.of(folder, model) for model in {final.model for final in found}}
        dossiers: dict[int, list[Dossier]] = {}
        rows: list[Row] = []
        for dossier in capture(store, settings, listed):
            for number, final in enumerate(found):
                if _names(dossier.context.incident, final):
                    dossiers.setdefault(number, []).append(dossier)
        rows = [_row(folder, final, dossiers.get(number, []), yardsticks) for number, final in enumerate(found)]
    finally:
        store.close()
    return rows


def judged(folder: Path, work: Path) -> Settings:
    """Return settings whose database holds the folder's nights, judged; what an earlier call left is used again."""
    work.mkdir(parents=True, exist_ok=True)
    config, database = work / "detector.toml", work / "nights.db"
    config.write_text(_settings_of(folder), encoding="utf-8")
    url = f"sqlite:///{database.resolve()}"
    done = work / "done"
    if not done.exists():
        logs = sorted(str(file) for file in folder.resolve().glob("*.jsonl.gz"))
        beside = ["--db", url, "--config", str(config), "--as-of", AS_OF, "--quiet"]
        _detector("ingest", *logs, *beside)
        labels = read_labels(folder / "labels.csv").frame
        first, last = (
            date.fromordinal(int(moment) // _DAY + _EPOCH)
            for moment in (labels["first_ts"].min(), labels["last_ts"].max())
        )
        _detector("scan", "--since", str(first), "--until", str(last), *beside)
        done.touch()
    return load_settings(config, db=url)


def _detector(*arguments: str) -> None:
    code = subprocess.run([sys.executable, "-m", "detector", *arguments], check=False).returncode
    if code not in _ENDED_WELL:
        raise SystemExit(f"detector {arguments[0]} ended with {code}")


def _settings_of(folder: Path) -> str:
    """Return the folder's own settings, or those that name its samples; files by their full names."""
    reference = folder.resolve() / "reference"
    own = folder / "detector.toml"
    if own.exists():
        return own.read_text(encoding="utf-8").replace('"reference/', f'"{reference}/')
    models = sorted(file.name.removesuffix("_train.parquet") for file in reference.glob("*_train.parquet"))
    return "\n".join(
        f'[models.{model}]\ntraining_sample = "{reference}/{model}_train.parquet"\n'
        f'holdout_sample = "{reference}/{model}_holdout.parquet"\n'
        for model in models
    )


def _names(incident: Incident, final: Final) -> bool:
    """Whether an incident names an account of the attack in a night of it."""
    first, last = (moment // _DAY + _EPOCH for moment in (final.first_ts, final.last_ts))
    return incident.model == final.model and any(
        member.client in final.accounts and any(first <= night.toordinal() <= last for night in member.nights)
        for member in incident.members
    )


def _row(folder: Path, final: Final, dossiers: Sequence[Dossier], yardsticks: dict[str, Yardstick]) -> Row:
    yardstick = yardsticks[final.model]
    shown = [
        (frames, verdict) for dossier in dossiers for frames, verdict in _reconstructions(dossier, final) if frames
    ]

    def off(frame: Frame) -> float:
        return min(yardstick.off(_input(frame), result) for result in final.results)

    truth = yardstick.truth(final.results[0])
    verdict = shown[0][1] if shown else None
    return Row(
        folder=folder.resolve().name,
        model=final.model,
        family=final.family,
        variant=final.variant,
        trace=final.trace,
        target=final.target,
        incident=dossiers[0].context.incident.id if dossiers else None,
        off=off(shown[0][0][0]) if shown else float("inf"),
        nearest_shown=min((off(frame) for frames, _ in shown for frame in frames), default=float("inf")),
        closer=truth.closer,
        apart=truth.apart,
        near=truth.near,
        discloses=truth.discloses,
        verdict=verdict,
        told=verdict in {"a record", "closer to a person"},
    )


def _reconstructions(dossier: Dossier, final: Final) -> Iterator[tuple[tuple[Frame, ...], str | None]]:
    """Yield what the report shows for the attack's accounts, the class pursued first, with item 5's verdict on it."""
    mine = [one for one in dossier.reconstruction.reconstructions if final.accounts.intersection(one.pursuit.clients)]
    for one in sorted(mine, key=lambda one: one.target != final.target):
        told = [each.verdict for each in dossier.comparison.closeness if each.row == one.best[0].row]
        yield one.best, next(iter(told), None)


def _input(frame: Frame) -> Any:  # noqa: ANN401 - a vector, a record or a text
    if frame.vector is not None:
        return frame.vector
    payload = (frame.payload or b"").decode("utf-8", "replace")
    return json.loads(payload) if payload.startswith("{") else payload


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the figures of all inversions, by family and by model, and the inversions one by one."""
    parts = {"all": _figures(rows)}
    for name in ("family", "model"):
        groups = sorted({getattr(row, name) for row in rows})
        parts[name] = {group: _figures([row for row in rows if getattr(row, name) == group]) for group in groups}
    return {**parts, "inversions": [asdict(row) for row in rows]}


def _figures(rows: Sequence[Row]) -> dict[str, int]:
    detected = [row for row in rows if row.incident is not None]
    counted = {name: sum(figure(row) for row in detected) for name, figure in _FIGURES.items()}
    told = sum(row.discloses for row in detected)
    return {"inversions": len(rows), "detected": len(detected), **counted, "disclosing": told}


def table(rows: Sequence[Row]) -> str:
    """Return the figures as a table in Markdown."""
    figures = as_json(rows)
    lines = [(f"family {name}", one) for name, one in figures["family"].items()]
    lines += [(f"model {name}", one) for name, one in figures["model"].items()]
    lines.append(("all", figures["all"]))
    head = ("", "inversions", "detected", *_FIGURES, "disclosing")
    text = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, one in lines:
        share = [f"{one[key]} ({one[key] / max(1, one['detected']):.0%})" for key in _FIGURES]
        text.append(f"| {name} | {one['inversions']} | {one['detected']} | {' | '.join(share)} | {one['disclosing']} |")
    return "\n".join(text)


if __name__ == "__main__":
    main()
