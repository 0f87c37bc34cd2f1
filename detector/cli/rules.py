"""`detector rules`: what rules there are, whether they load, whether their tests pass, what they cover."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli.common import note, output_options, print_json, stop, store_options
from detector.cli.terminal import safe, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.detect.rules.model import Correlation, Rule, RuleSet
    from detector.detect.rules.selftest import TestOutcome
    from detector.errors import RuleError

_WIDEST = 2_000
_PATHS = click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))


@click.group()
def rules() -> None:
    """List, check and test detection rules, and show what they cover."""


@rules.command("list")
@_PATHS
@store_options
@output_options
def list_rules(
    paths: tuple[Path, ...], db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool
) -> None:
    """List the rules that `detector run` uses: built-in, the site's, and those under PATH."""
    loaded = _load(paths, db, config_file)
    if as_json:
        documents = [_rule_document(rule) for rule in loaded.everything]
        filters = [{"id": f.id, "title": f.title, "file": str(f.file), "line": f.line} for f in loaded.filters]
        print_json({"rules": documents, "filters": filters})
    elif not quiet:
        rows = [(r.technique, r.level, _category(r), r.name or r.id, r.title) for r in loaded.everything]
        say(_table([("technique", "level", "over", "name", "title"), *rows]))


@rules.command("check")
@_PATHS
@store_options
@output_options
def check_rules(
    paths: tuple[Path, ...], db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool
) -> None:
    """Load every rule, also those under PATH, and report what is wrong with file and line."""
    from detector.detect.rules.loader import examine_rules
    from detector.exits import ExitCode

    loaded, errors = examine_rules(_folders(paths, db, config_file))
    counts = {
        "rules": len(loaded.rules),
        "correlations": len(loaded.correlations),
        "filters": len(loaded.filters),
    }
    if as_json:
        print_json({**counts, "errors": [_error_document(error) for error in errors]})
        stop(ExitCode.USAGE if errors else ExitCode.CLEAN)
    for error in errors[1:]:
        note(safe(str(error), _WIDEST))
    if errors:
        raise errors[0]
    if not quiet:
        click.echo(", ".join(f"{count} {name}" for name, count in counts.items()) + ": all can be used")


@rules.command("test")
@_PATHS
@store_options
@output_options
def test_rules(
    paths: tuple[Path, ...], db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool
) -> None:
    """Run the inline hit and near-miss tests of all rules, or of those under PATH; exit 1 if one fails."""
    from detector.detect.rules.selftest import run_tests
    from detector.exits import ExitCode

    loaded = _load(paths, db, config_file)
    chosen = [rule for rule in loaded.everything if _lies_under(rule.file, paths)]
    outcomes = list(run_tests(loaded, chosen))
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if as_json:
        document = {"tests": [_outcome_document(outcome) for outcome in outcomes], "failed": len(failed)}
        print_json(document)
    else:
        for outcome in failed:
            wanted, came = ("hit", "miss") if outcome.test.hit else ("miss", "hit")
            where = f"{outcome.rule.file}:{outcome.test.line}"
            note(safe(f"{where}: {outcome.rule.title}: {outcome.test.name}: {came} instead of {wanted}", _WIDEST))
        if not quiet:
            click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} tests passed")
    stop(ExitCode.FAILED if failed else ExitCode.CLEAN)


@rules.command("coverage")
@_PATHS
@store_options
@output_options
def show_coverage(
    paths: tuple[Path, ...], db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool
) -> None:
    """Show which rules speak of which technique, and techniques that no rule speaks of."""
    from detector.model import ATLAS_BY_TECHNIQUE, Technique

    everything = _load(paths, db, config_file).everything
    by_technique = {technique: [rule for rule in everything if rule.technique is technique] for technique in Technique}
    if as_json:
        document = [
            {
                "technique": technique.value,
                "atlas": list(ATLAS_BY_TECHNIQUE[technique]),
                "covered": bool(found),
                "rules": [{"id": rule.id, "name": rule.name, "level": rule.level.value} for rule in found],
            }
            for technique, found in by_technique.items()
        ]
        print_json({"techniques": document})
    elif not quiet:
        rows: list[tuple[str, ...]] = [("technique", "ATLAS", "level", "over", "rule")]
        for technique, found in by_technique.items():
            heading = (technique.value, " ".join(ATLAS_BY_TECHNIQUE[technique]))
            rows += [(*heading, r.level.value, _category(r), r.title) for r in found]
            if not found:
                rows.append((*heading, "-", "-", "no rule"))
        say(_table(rows))


def _folders(paths: Sequence[Path], db: str | None, config_file: Path | None) -> list[Path]:
    """Return the site's folder, where the settings name one, and the paths given."""
    from detector.config import load_settings

    site = load_settings(config_file, db=db).rules
    return [*([site] if site is not None else []), *paths]


def _load(paths: Sequence[Path], db: str | None, config_file: Path | None) -> RuleSet:
    from detector.detect.rules.loader import load_rules

    return load_rules(_folders(paths, db, config_file))


def _lies_under(file: Path, paths: Sequence[Path]) -> bool:
    return not paths or any(file.resolve().is_relative_to(path.resolve()) for path in paths)


def _category(rule: Rule | Correlation) -> str:
    return str(getattr(rule, "category", "findings"))


def _rule_document(rule: Rule | Correlation) -> dict[str, object]:
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "description": rule.description,
        "status": rule.status,
        "level": rule.level.value,
        "technique": rule.technique.value,
        "atlas": list(rule.atlas),
        "family": rule.family,
        "over": _category(rule),
        "falsepositives": list(rule.falsepositives),
        "filters": [exclusion.id for exclusion in getattr(rule, "filters", ())],
        "tests": len(rule.tests),
        "file": str(rule.file),
        "line": rule.line,
    }


def _error_document(error: RuleError) -> dict[str, object]:
    file = None if error.file is None else str(error.file)
    return {"file": file, "line": error.line, "message": error.message, "expected": error.expected}


def _outcome_document(outcome: TestOutcome) -> dict[str, object]:
    return {
        "rule": outcome.rule.id,
        "name": outcome.rule.name,
        "test": outcome.test.name,
        "expect": "hit" if outcome.test.hit else "miss",
        "passed": outcome.passed,
        "sentence": outcome.sentence,
        "file": str(outcome.rule.file),
        "line": outcome.test.line,
    }


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns of text; a site's rules may hold anything, so cells are made safe for terminals."""
    cells = [[safe(cell, _WIDEST) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines)
