"""`detector baseline`: what normal looks like for a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from detector.cli.common import Night, as_of_option, now, open_site, output_options, print_json, store_options
from detector.cli.terminal import safe
from detector.errors import UsageError

if TYPE_CHECKING:
    from datetime import date, datetime

    from detector.store.baselines import BaselineRow


@click.group()
def baseline() -> None:
    """Learn, list, show and choose baselines."""


@baseline.command()
@click.option("--model", required=True, help="Which model.")
@click.option("--night", "nights", type=Night(), multiple=True, help="A night known clean; repeat for more.")
@click.option("--since", type=Night(), help="The first of a range of clean nights.")
@click.option("--until", type=Night(), help="The last of that range, included.")
@click.option("--reference", type=click.Path(dir_okay=False, path_type=Path), help="Parquet file of ordinary inputs.")
@as_of_option
@store_options
@output_options
def learn(
    model: str,
    nights: tuple[date, ...],
    since: date | None,
    until: date | None,
    reference: Path | None,
    as_of: datetime | None,
    db: str | None,
    config_file: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Learn a baseline from scanned nights known clean, or take reference inputs from a file.

    The new baseline is the active one from now on. A reference file replaces what the model's inputs are compared with;
    feature distributions still come from nights.
    """
    from detector.baseline.model import BaselineKind
    from detector.baseline.service import learn_from_nights, learn_from_reference

    if bool(since) != bool(until):
        raise UsageError("--since and --until go together", expected="both")
    chosen = {*nights}
    if since and until:
        from datetime import date as day

        chosen |= {day.fromordinal(n) for n in range(since.toordinal(), until.toordinal() + 1)}
    if not chosen and reference is None:
        raise UsageError("there is nothing to learn from", expected="--night, --since and --until, or --reference")
    site = open_site(db, config_file, create=False)
    with site.store.begin() as connection:
        if reference is not None:
            learned = learn_from_reference(connection, model, reference, sorted(chosen), now(as_of))
        else:
            learned = learn_from_nights(connection, model, sorted(chosen), BaselineKind.LEARNED, now(as_of))
    told = {
        "id": learned.id,
        "clients": learned.clients,
        "windows": len(learned.night),
        "left_out": len(learned.left_out),
    }
    if as_json:
        print_json(told)
    elif not quiet:
        click.echo(
            f"{safe(learned.id)}: {told['windows']} client windows of {learned.clients} clients; "
            f"{told['left_out']} clients left out"
        )


@baseline.command("list")
@click.option("--model", help="Of this model only.")
@store_options
@output_options
def list_(model: str | None, db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool) -> None:
    """List the baselines."""
    from detector.store.baselines import list_baselines

    site = open_site(db, config_file, create=False)
    with site.store.begin() as connection:
        rows = list_baselines(connection, model)
    if as_json:
        print_json({"baselines": [_document(row) for row in rows]})
    elif not quiet:
        for row in rows:
            nights = f"{row.first_night} to {row.last_night}" if row.first_night else "reference file"
            click.echo(f"{'*' if row.active else ' '} {safe(row.id, 40):<24} {row.kind:<12} {nights}")


@baseline.command()
@click.argument("baseline_id", metavar="ID")
@store_options
@output_options
def show(baseline_id: str, db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Show a baseline: nights, clients left out and why, and what is normal for each feature."""
    from detector.baseline.service import load

    row = _find(baseline_id, db, config_file)
    found = load(row)
    if as_json:
        left_out = [{"client": name, "why": why} for name, why in found.left_out]
        print_json(_document(row) | {"left_out": left_out, "features": _quantiles(found)})
    elif not quiet:
        click.echo(
            f"{safe(row.id)} ({row.kind}{', active' if row.active else ''}), learned from {found.clients} clients"
        )
        for name, why in found.left_out:
            click.echo(f"  left out: {safe(name)}: {why}")
        click.echo(f"{'feature':<30}{'5 %':>12}{'median':>12}{'95 %':>12}{'99 %':>12}")
        for name, q in _quantiles(found).items():
            if q is not None:
                click.echo(f"{name:<30}" + "".join(f"{q[level]:>12.4g}" for level in ("p05", "p50", "p95", "p99")))


@baseline.command()
@click.argument("baseline_id", metavar="ID")
@store_options
@output_options
def use(baseline_id: str, db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Make a baseline the one that judges its model, for every night from the next scan on."""
    from detector.store.baselines import use_baseline

    row = _find(baseline_id, db, config_file)
    site = open_site(db, config_file, create=False)
    with site.store.begin() as connection:
        use_baseline(connection, row)
    if as_json:
        print_json({"active": row.id})
    elif not quiet:
        click.echo(f"{safe(row.id)} judges {safe(row.model)} from the next scan on")


def _find(baseline_id: str, db: str | None, config_file: Path | None) -> BaselineRow:
    from detector.store.baselines import get_baseline

    site = open_site(db, config_file, create=False)
    with site.store.begin() as connection:
        row = get_baseline(connection, baseline_id)
    if row is None:
        raise UsageError(f"there is no baseline {baseline_id!r}", expected="an id that `detector baseline list` shows")
    return row


def _document(row: BaselineRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "model": row.model,
        "version": row.version,
        "kind": row.kind,
        "active": row.active,
        "first_night": row.first_night,
        "last_night": row.last_night,
        "judges_nights_after": row.valid_after,
        "created_at": row.created_at,
    }


def _quantiles(found: Any) -> dict[str, dict[str, float] | None]:  # noqa: ANN401 - Baseline, which loads pandas
    import numpy as np

    from detector.features.registry import NAMES
    from detector.model import Horizon

    out: dict[str, dict[str, float] | None] = {}
    for name, values in zip(NAMES, found.sorted_columns[Horizon.NIGHT], strict=True):
        levels = np.quantile(values, [0.05, 0.5, 0.95, 0.99]) if len(values) else None
        out[name] = (
            None
            if levels is None
            else {k: float(f"{v:.7g}") for k, v in zip(("p05", "p50", "p95", "p99"), levels, strict=True)}
        )
    return out
