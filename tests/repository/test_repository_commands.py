"""Every command explains itself, the pages say what the program says, and help answers at once."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import takewhile
from typing import TYPE_CHECKING

import click
import pytest
from checkout import ROOT, documents

from detector.cli import COMMANDS, SUMMARIES
from detector.exits import ExitCode, fold
from tools import reference

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a command may load once it works, but never to print its help.
HEAVY = {
    "adbc_driver_manager", "alembic", "duckdb", "jinja2", "numba", "numpy", "pandas", "psycopg", "pyarrow", "pydantic",
    "pydantic_settings", "pyod", "rich", "scipy", "sigma", "sklearn", "sqlalchemy", "yaml",
}  # fmt: skip

ALL = {path: (command, context) for path, command, context in reference.walk()}


def visible(command: click.Command) -> Iterator[click.Option]:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            yield parameter


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_and_option_has_help(path: tuple[str, ...]) -> None:
    command, _ = ALL[path]
    assert command.help, "the command has no help"
    assert command.get_short_help_str(), "the command has no summary"
    assert [option.opts[0] for option in visible(command) if not option.help] == []


def test_the_summaries_are_those_of_the_commands() -> None:
    assert list(SUMMARIES) == list(COMMANDS)


def test_generated_pages_are_up_to_date() -> None:
    # In a process of its own: click remembers how the first caller asked for help.
    check = [sys.executable, "-m", "tools.reference", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_the_check_tells_a_stale_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(reference, "PAGES", {"features.md": lambda: "other"})
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/features.md is out of date: run `make docs`\n"


def test_help_loads_nothing_heavy() -> None:
    program = f"""
import sys
from detector.cli import cli
paths = {[list(path[1:]) for path in ALL]!r}
for path in paths:
    try:
        cli.main([*path, "--help"])
    except SystemExit as done:
        assert not done.code, path
print("loaded:", sorted({HEAVY!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def typed_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every command that a page shows, in a block or between backticks, with the page."""
    for name, text in documents().items():
        if name == "docs/commands.md":
            continue
        joined = text.replace("\\\n", " ")
        lines = [line.strip().removeprefix("$ ") for line in joined.splitlines()]
        shown = [line for line in lines if line.startswith("detector ")]
        shown += re.findall(r"`(detector [^`\n]+)`", joined)
        for line in shown:
            yield name, words_of(line)[1:]


def words_of(line: str) -> list[str]:
    """Split a command as a shell does, up to a pipe, redirection, comment or explanation in a column of its own."""
    told = re.split(r"\s{3,}|\s#\s", line)[0]
    lexer = shlex.shlex(told, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    return list(takewhile(lambda word: not re.fullmatch(r"[|;&<>]+", word), lexer))


def test_pages_show_commands_that_exist() -> None:
    wrong = []
    for page, words in typed_commands():
        path: tuple[str, ...] = ("detector",)
        rest = list(words)
        while rest and (*path, rest[0]) in ALL:
            path = (*path, rest.pop(0))
        options = {"--help", "-h", "--version"} | {text for one in ALL[path][0].params for text in one.opts}
        unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in options]
        if rest and isinstance(ALL[path][0], click.Group) and re.fullmatch(r"[a-z][a-z-]*", rest[0]):
            unknown.append(rest[0])
        wrong += [f"{page}: detector {' '.join(words)}: {word}" for word in unknown]
    assert wrong == []


def test_the_table_of_exit_codes_is_the_programs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    told = [tuple(map(int, row)) for row in re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)]
    assert told == [(int(code), fold(code, "plain"), fold(code, "nagios")) for code in ExitCode]


def test_make_has_the_targets_that_pages_name() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word for text in documents().values() for word in re.findall(r"(?:^|`)\$? ?make ([a-z]+)", text, re.MULTILINE)
    }
    assert named - targets == set()
    assert {"demo", "test"} <= named
