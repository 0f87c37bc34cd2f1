"""Write the reference pages that follow from the code: docs/commands.md and docs/features.md.

`python -m tools.reference` writes them; `python -m tools.reference --check` exits 1 where one is out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli import cli
from detector.exits import ExitCode, fold
from detector.features.registry import FAMILIES, FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.features.registry import FeatureSpec

DOCS = Path(__file__).resolve().parent.parent / "docs"
WIDTH = 100
_NOTICE = "<!-- Written by `make docs` from the code. Do not edit: change the code instead. -->"

_COMMANDS_INTRO = """\
# Commands

Every command with its help text, as the program prints it. Each command also takes `--help`.

Options that mean the same everywhere:

- `--db URL`: the database; `sqlite:///detector.db` in the working folder unless given.
- `--config FILE`: the settings; `detector.toml` in the working folder if there is one.
- `--json`: one JSON document on stdout and nothing else. Notes and errors go to stderr.
- `--quiet`: print nothing but errors.
- `--as-of TIME`: take this as the present time. The same input with the same `--as-of` gives the same bytes.

The command line wins over the environment (`DETECTOR_DB`, `DETECTOR_ALERTS__FAIL_ON` and so on), which wins over the
configuration file.
"""

_MEANINGS = {
    ExitCode.CLEAN: "done; no open incident at or above `--fail-on` has a finding in a night that was scanned",
    ExitCode.FAILED: "the run failed; what it had committed is whole, and the same command can be repeated",
    ExitCode.USAGE: "usage or configuration error; nothing was touched",
    ExitCode.NOTHING_TO_READ: "nothing to read: no input, or no query in the night",
    ExitCode.DAMAGED: "a file is damaged beyond `--max-rejects`; everything readable was processed and reported",
    ExitCode.LOW: "done; the highest open incident of the scanned nights is low",
    ExitCode.MEDIUM: "done; the highest open incident of the scanned nights is medium",
    ExitCode.HIGH: "done; the highest open incident of the scanned nights is high",
    ExitCode.CRITICAL: "done; the highest open incident of the scanned nights is critical",
}

_FEATURES_INTRO = """\
# Features

What is measured of every window: one client (or a network that several clients share) on one model, over one night or
over the seven nights that end with it. Rules and reports call the features by these names.

A feature that the log gives no ground for has no value (null). That is not 0: a condition on it is unknown and does not
fire, and the report says what the log did not let us see.

Besides each feature `f`, rules can use `f_tail`: minus log10 of the probability of a value as far out under the model's
baseline. `f_tail` of 3 says: one ordinary window in 1,000 looks like this. It has no value until the model has a
baseline. *Suspicious* names the end of the distribution that the tail looks at.
"""
_ENDS = {"high": "high values", "low": "low values", "both": "both ends"}


def commands_page() -> str:
    """Return docs/commands.md."""
    parts = [_NOTICE, _COMMANDS_INTRO, "## Exit codes\n", _exit_codes()]
    for path, command, context in walk():
        level = "##" if len(path) == 1 else "###"
        parts.append(f"{level} {' '.join(path)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def _exit_codes() -> str:
    """Return the table of exit codes and of how the styles fold it."""
    lines = ["| code | `plain` | `nagios` | meaning |", "|---|---|---|---|"]
    lines += [f"| {int(c)} | {fold(c, 'plain')} | {fold(c, 'nagios')} | {_MEANINGS[c]} |" for c in ExitCode]
    note = (
        "`--exit-style` chooses the column. Where damage and an incident meet, the severity wins and the damage is told"
        "\non stderr and in the report. `--exit-zero` exits 0 where the code would be 11 to 14."
    )
    return "\n".join([*lines, "", note, ""])


def walk() -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """Yield every command with its path and a context, groups before their commands."""
    names = cli.context_settings["help_option_names"]
    top = click.Context(
        cli, info_name="detector", help_option_names=names, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield from _walk(("detector",), cli, top)


def _walk(
    path: tuple[str, ...], command: click.Command, context: click.Context
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    yield path, command, context
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is None:
            raise LookupError(f"{' '.join(path)} lists {name} but does not have it")
        below = click.Context(child, context, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
        yield from _walk((*path, name), child, below)


def features_page() -> str:
    """Return docs/features.md."""
    parts = [_NOTICE, _FEATURES_INTRO]
    for family in FAMILIES:
        parts.append(f"## {family[0].upper()}{family[1:]}\n")
        parts.extend(_feature(one) for one in FEATURES if one.family == family)
    return "\n".join(parts)


def _feature(one: FeatureSpec) -> str:
    source = {"own": "this project", "count": "a count"}.get(one.source, one.source)
    return (
        f"### `{one.name}`\n\n"
        f"{_range(one)}. Suspicious: {_ENDS[one.suspicious]}.\n\n"
        f"- Computed as: {one.formula}.\n"
        f"- What it tells: {one.signal}.\n"
        f"- Benign behaviour that looks like it: {one.looks_like}.\n"
        f"- Source: {source}.\n"
    )


def _range(one: FeatureSpec) -> str:
    unit = f"Unit: {one.unit}"
    if one.low is not None and one.high is not None:
        return f"{unit}, from {one.low:g} to {one.high:g}"
    if one.low is not None:
        return f"{unit}, {one.low:g} or more"
    return f"{unit}, at most {one.high:g}" if one.high is not None else f"{unit}, unbounded"


PAGES = {"commands.md": commands_page, "features.md": features_page}


def main(arguments: list[str]) -> int:
    """Write or check the pages; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a page is out of date")
    check = parser.parse_args(arguments).check
    stale = []
    for name, page in PAGES.items():
        file = DOCS / name
        if file.is_file() and file.read_text(encoding="utf-8") == page():
            continue
        stale.append(name)
        if not check:
            file.write_text(page(), encoding="utf-8", newline="\n")
    for name in stale:
        print(f"docs/{name} is out of date: run `make docs`" if check else f"wrote docs/{name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
