"""The command line: parses, calls, prints, exits; the only place that does."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from detector import __version__

# Command name to the module and object that hold it: loaded when called, so that --help answers at once.
COMMANDS = {
    "run": "detector.cli.run:run",
    "ingest": "detector.cli.ingest:ingest",
    "scan": "detector.cli.scan:scan",
    "baseline": "detector.cli.baseline:baseline",
    "incidents": "detector.cli.incidents:incidents",
    "suppress": "detector.cli.suppress:suppress",
    "report": "detector.cli.report:report",
    "explain": "detector.cli.explain:explain",
    "audit": "detector.cli.audit:audit",
    "canary": "detector.cli.canary:canary",
    "rules": "detector.cli.rules:rules",
    "evaluate": "detector.cli.evaluate:evaluate",
    "simulate": "detector.cli.simulate:simulate",
    "verify": "detector.cli.verify:verify",
    "keys": "detector.cli.keys:keys",
    "db": "detector.cli.db:db",
    "init": "detector.cli.init:init",
}
SUMMARIES = {
    "run": "The nightly job: ingest, scan, report; exits by severity.",
    "ingest": "Load log files into the store.",
    "scan": "Judge nights that the store holds.",
    "baseline": "Learn, list, show and choose baselines.",
    "incidents": "List, show, acknowledge and close incidents.",
    "suppress": "Mute a rule, client or network until a date.",
    "report": "Write HTML reports again.",
    "explain": "Why a client is, or is not, suspicious.",
    "audit": "Bound a model's privacy loss from confidences.",
    "canary": "Make records that give away who has the training data.",
    "rules": "List, check and test rules.",
    "evaluate": "Measure on labelled logs.",
    "simulate": "Record real attacks on real small models as logs.",
    "verify": "Check an evidence bundle, offline.",
    "keys": "Make keys that sign evidence bundles.",
    "db": "Migrate, check and purge the database.",
    "init": "Write a commented detector.toml.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of a night's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command, or return None for an unknown one."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="detector")
def cli() -> None:
    """Find model inversion and its siblings in the query logs of machine-learning APIs.

    Exit codes: 0 clean, 1 failed, 2 usage, 3 nothing to read, 4 damaged input, 11 to 14 open incidents of severity low,
    medium, high, critical.
    """


def main() -> None:
    """Run the command line; errors that the product raises on purpose end as one line on stderr and their exit code."""
    from detector.errors import DetectorError

    try:
        cli.main(standalone_mode=False)
    except DetectorError as error:
        sys.exit(_tell(error))
    except click.ClickException as error:
        error.show()
        sys.exit(_folded(2))
    except click.exceptions.Abort:
        click.echo("interrupted; what was committed is whole, and the same command can be repeated", err=True)
        sys.exit(_folded(1))
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except MemoryError:
        click.echo("error: out of memory; what was committed is whole, and the same command can be repeated", err=True)
        sys.exit(_folded(1))
    except BrokenPipeError:
        # The reader of stdout went away; what was written to the store is committed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_folded(1))
    except Exception as error:
        # A traceback tells an operator nothing and would show the log's content; whoever mends it asks for it.
        if os.environ.get("DETECTOR_TRACEBACK"):
            raise
        _tell_unexpected(error)
        sys.exit(_folded(1))


def _tell(error: Any) -> int:  # noqa: ANN401 - DetectorError, which is not imported for --help
    from detector.cli.terminal import safe

    click.echo(f"error: {safe(str(error), 2000)}", err=True)
    return _folded(int(error.exit_code))


def _tell_unexpected(error: Exception) -> None:
    from detector.cli.terminal import safe

    what = safe(f"{type(error).__name__}: {error}", 300)
    click.echo(
        f"error: unexpected, please report it: {what}; what was committed is whole, the same command can be repeated "
        "(DETECTOR_TRACEBACK=1 shows where it happened)",
        err=True,
    )


def _folded(code: int) -> int:
    """Fold an exit code by --exit-style, which must hold also where the command failed before it could read it."""
    from detector.exits import ExitCode, fold

    arguments = sys.argv[1:]
    for position, argument in enumerate(arguments):
        value = argument.partition("=")[2] if argument.startswith("--exit-style=") else None
        if argument == "--exit-style" and position + 1 < len(arguments):
            value = arguments[position + 1]
        if value in {"plain", "nagios"}:
            return fold(ExitCode(code), value)  # type: ignore[arg-type]
    return code
