"""The whole drill: train, play, record, write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from detector.errors import SimulationError
from detector.redteam.catalog import CATALOG, DEFAULT_START, ScenarioEntry
from detector.redteam.labels import Label, labels_csv, labels_of
from detector.redteam.logfiles import LogFile, wanted_names, write_nights
from detector.redteam.nights import Nights
from detector.redteam.publish import settings_toml, write_reference, write_results
from detector.redteam.randomness import stream
from detector.redteam.recorder import Service
from detector.redteam.scenarios import Cast, Selection, assemble
from detector.redteam.sessions import play

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Simulation:
    """A drill that was written."""

    out: Path
    scenario: str
    seed: int
    files: tuple[LogFile, ...]
    """By model and night."""
    labels: tuple[Label, ...]
    """By model and client."""

    @property
    def attackers(self) -> tuple[Label, ...]:
        """The labels of those who attacked."""
        return tuple(row for row in self.labels if row.is_attack)

    @property
    def queries(self) -> int:
        """All queries of all files."""
        return sum(file.queries for file in self.files)


def simulate(
    out: Path,
    *,
    scenario: str = "demo",
    seed: int = 0,
    nights: int | None = None,
    start: date | None = None,
    selection: Selection | None = None,
) -> Simulation:
    """Play `scenario` and write its logs, labels, results, reference samples and settings into `out`.

    Args:
        out: a folder; made if need be. It may hold an earlier drill of the same models and nights, which is replaced.
        scenario: a name from the catalog.
        seed: 0 or more; the same seed gives the same bytes.
        nights: how many nights, at least 1; the scenario's own number if None.
        start: the first night; 2026-11-10 if None.
        selection: what of a selectable scenario is played; all of it if None.

    Returns:
        What was written.

    Raises:
        SimulationError: there is no such scenario, nothing of it can be selected, the folder holds other logs, or a
            file cannot be written.
    """
    entry = _entry(scenario)
    if seed < 0:
        raise SimulationError(f"seed {seed}", expected="0 or more")
    calendar = Nights(start or date.fromisoformat(DEFAULT_START), entry.nights if nights is None else nights)
    if selection is not None and not entry.selectable:
        raise SimulationError(f"the scenario {scenario} is played as it is", expected="no selection")
    chosen = selection or Selection()
    chosen.check()
    _prepare(out, wanted_names(chosen.models or entry.models, calendar))
    # More threads would be slower on models this small, and another number of them another last digit.
    with threadpool_limits(1):
        return _write(out, entry, calendar, seed, assemble(scenario, calendar, seed, chosen))


def _entry(scenario: str) -> ScenarioEntry:
    for entry in CATALOG:
        if entry.name == scenario:
            return entry
    raise SimulationError(f"no scenario {scenario!r}", expected=" or ".join(entry.name for entry in CATALOG))


def _prepare(out: Path, wanted: set[str]) -> None:
    """Refuse a folder with logs that this drill's labels would not cover, and make one that is not there."""
    strangers = sorted(path for path in out.glob("*.jsonl.gz") if path.name not in wanted)
    if strangers:
        raise SimulationError("another drill lies in the folder", file=strangers[0], expected="an empty folder")
    try:
        (out / "reference").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SimulationError(f"the folder cannot be made: {error.strerror}", file=out) from error


def _write(out: Path, entry: ScenarioEntry, nights: Nights, seed: int, cast: Cast) -> Simulation:
    services = {model.name: Service(model) for model in cast.models}
    played = [(play(session, services[session.model], nights, seed), services[session.model].model)
              for session in cast.sessions]  # fmt: skip
    activity = {name: service.activity() for name, service in services.items()}
    labels = tuple(
        sorted(
            (row for each, model in played for row in labels_of(each, model, activity[model.name], seed)),
            key=lambda row: (row.model, row.client_id),
        ),
    )
    files = [
        file
        for name, service in sorted(services.items())
        for file in write_nights(service, nights, out, stream(seed, name, "log"))
    ]
    try:
        (out / "labels.csv").write_text(labels_csv(labels), encoding="utf-8", newline="")
        (out / "detector.toml").write_text(settings_toml(cast.models), encoding="utf-8", newline="")
        write_results(played, out / "results.parquet")
        for model in cast.models:
            write_reference(model, out / "reference")
    except OSError as error:
        raise SimulationError(f"the drill cannot be written: {error.strerror}", file=out) from error
    return Simulation(out, entry.name, seed, tuple(files), labels)
