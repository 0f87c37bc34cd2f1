"""`detector simulate`: real attacks on real small models, as logs with labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.errors import SimulationError
from detector.redteam.catalog import CATALOG, DEFAULT_START

if TYPE_CHECKING:
    from datetime import datetime

    from detector.redteam.simulation import Simulation


def _list_scenarios(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001
    if not wanted or context.resilient_parsing:
        return
    for entry in CATALOG:
        click.echo(f"{entry.name:12}{entry.nights} nights, {' and '.join(entry.models)}: {entry.summary}")
    context.exit()


def _names(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """Return the names in a list with commas, each once, in the order given."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
    if not names:
        raise click.BadParameter("no name in it")
    return names


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to.")
@click.option(
    "--scenario",
    type=click.Choice([entry.name for entry in CATALOG]),
    default="demo",
    show_default=True,
    help="What happens; see --list.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same bytes.")
@click.option("--nights", type=click.IntRange(1, 366), help="Number of nights; the scenario's own unless given.")
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    default=DEFAULT_START,
    show_default=True,
    help="The first night, a UTC date.",
)
@click.option("--models", callback=_names, help="Names of models, with commas; the scenario's own unless given.")
@click.option("--families", callback=_names, help="Families of workloads and attacks, with commas; all unless given.")
@click.option("--clients", type=click.IntRange(1, 1_000), help="Clients of each family on each model.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_scenarios,
    help="Show the scenarios and stop.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
@click.option("--db", expose_value=False, hidden=True, help="Accepted by every command; a drill has no database.")
@click.option("--config", expose_value=False, hidden=True, help="Accepted by every command; a drill has no settings.")
@click.option("--as-of", expose_value=False, hidden=True, help="Accepted by every command; a drill has no clock.")
def simulate(
    out: Path,
    scenario: str,
    seed: int,
    nights: int | None,
    start: datetime,
    models: tuple[str, ...] | None,
    families: tuple[str, ...] | None,
    clients: int | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Attack small models for real and write the logs, with the truth beside them.

    The folder gets a log for each model and night, labels.csv, results.parquet with each attacker's best query,
    reference/ with the models' members and non-members, and a detector.toml that `detector run --config` takes.
    """
    from detector.redteam.scenarios import Selection
    from detector.redteam.simulation import simulate as play

    selection = None
    if (models, families, clients) != (None, None, None):
        if scenario not in {entry.name for entry in CATALOG if entry.selectable}:
            raise click.UsageError(f"--models, --families and --clients do not go with the scenario {scenario}")
        selection = Selection(models, families, clients)
        try:
            selection.check()
        except SimulationError as error:
            raise click.UsageError(str(error)) from error
    drill = play(out, scenario=scenario, seed=seed, nights=nights, start=start.date(), selection=selection)
    if quiet:
        return
    click.echo(json.dumps(_document(drill), indent=2) if as_json else _summary(drill))


def _document(drill: Simulation) -> dict[str, object]:
    """Return what `--json` prints."""
    return {
        "out": str(drill.out),
        "scenario": drill.scenario,
        "seed": drill.seed,
        "queries": drill.queries,
        "files": [
            {"path": str(file.path), "model": file.model, "night": file.night.isoformat(), "queries": file.queries}
            for file in drill.files
        ],
        "attackers": [
            {
                "client_id": row.client_id,
                "model": row.model,
                "technique": row.technique,
                "family": row.family,
                "target": row.target,
                "first_ts": row.first_ts,
                "last_ts": row.last_ts,
                "n_attack_queries": row.n_attack_queries,
                "success": row.success,
                "final_confidence": row.final_confidence,
            }
            for row in drill.attackers
        ],
    }


def _summary(drill: Simulation) -> str:
    """Return what a person reads."""
    lines = [f"{drill.queries:,} queries in {len(drill.files)} logs in {drill.out} (seed {drill.seed})"]
    lines += [f"  {file.path.name}  {file.queries:,} queries" for file in drill.files]
    for row in drill.attackers:
        end = "succeeded" if row.success else "failed"
        goal = f" of class {row.target}" if row.target else ""
        lines.append(
            f"  {row.technique}{goal} on {row.model} by {row.client_id} ({row.family}): "
            f"{row.n_attack_queries:,} queries from {row.first_ts[:16]}Z, {end}",
        )
    if not drill.attackers:
        lines.append("  nobody attacks")
    return "\n".join(lines)
