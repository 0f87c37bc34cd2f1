"""Files and functions stay small enough to read; the library neither prints nor exits; nothing runs text as code."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest
from checkout import ROOT, parsed, python_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE = 300
MAX_FUNCTION = 40

LONG_FILES = {
    "detector/evidence/context.py": "what is gathered for an incident, in one type that six items read",
    "detector/model.py": "the vocabulary that every stage shares, in one place",
    "detector/features/kernels.py": "compiled loops call each other within one module, which numba wants",
}
LONG_FUNCTIONS = {
    "detector/detect/rules/correlations.py:_finding": "one finding, a field a line",
    "detector/report/incident_page.py:build": "one page, a field a line",
    "detector/features/kernels.py:best_segment": "one compiled loop; parts of it would be passed a dozen arrays",
    "migrations/versions/0001_first_schema.py:upgrade": "a schema is a list of tables; migrations are never edited",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_lines(function: Function) -> int:
    """The lines of what a function does: neither options in its signature nor its docstring make it hard to follow."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_files_are_short() -> None:
    long = {
        name_of(path): lines
        for path in python_files("detector", "tools", "migrations")
        if (lines := path.read_text(encoding="utf-8").count("\n")) > MAX_FILE
    }
    assert {name: lines for name, lines in long.items() if name not in LONG_FILES} == {}
    assert set(LONG_FILES) <= set(long), "an exception that is no longer needed"


def test_functions_are_short() -> None:
    long = {
        f"{name_of(path)}:{node.name}": lines
        for path in python_files("detector", "tools", "migrations")
        for node in ast.walk(parsed(path))
        if isinstance(node, Function) and (lines := body_lines(node)) > MAX_FUNCTION
    }
    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "an exception that is no longer needed"


def called(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def found(folders: tuple[str, ...], forbidden: set[str], allowed: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name_of(path)}:{line} calls {name}"
        for path in python_files(*folders)
        if not name_of(path).startswith(allowed)
        for name, line in called(parsed(path))
        if name in forbidden
    ]


def test_only_the_command_line_prints_and_exits() -> None:
    speaks = {"print", "sys.exit", "exit", "quit", "os._exit", "SystemExit", "click.echo", "sys.stdout.write", "input"}
    assert found(("detector",), speaks, ("detector/cli/", "detector/__main__.py")) == []


def test_nothing_runs_text_as_code() -> None:
    runs: set[str] = {
        "eval",
        "exec",
        "compile",
        "__import__",
        "os.system",
        "os.popen",
        "subprocess.run",
        "subprocess.Popen",
    }
    assert found(("detector", "migrations"), runs) == []


def test_nothing_depends_on_the_clock_or_on_unseeded_chance() -> None:
    chance = {
        "time.time",
        "datetime.now",
        "datetime.utcnow",
        "date.today",
        "random.random",
        "np.random.seed",
        "uuid.uuid4",
    }
    unseeded = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("detector")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("default_rng")
        and not (node.args or node.keywords)
    ]
    assert found(("detector",), chance, ("detector/cli/",)) == []
    assert unseeded == []


# Where values of whole columns become Python objects, one a row: each place with the reason why that is bearable.
ROW_LOOPS = {
    "detector/features/learn.py": "label counts: as many as the model has classes",
    "detector/features/reference.py": "the site's sample of training data, not the log",
    "detector/features/views.py": "records and texts have no columnar form; kept to the sampled and distinct ones",
    "detector/ingest/tally.py": "counts by reason: a dozen",
    "detector/store/decode.py": "records and texts, for the few queries that evidence shows",
}
ROW_CALLS = {"iterrows", "itertuples", "executemany", "apply"}
DISTINCT = ("dictionary.to_pylist()",)


def rows_visited(path: Path) -> Iterator[int]:
    for node in ast.walk(parsed(path)):
        loops: list[Any] = []
        if isinstance(node, ast.For):
            loops = [node.iter]
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            loops = [generator.iter for generator in node.generators]
        for over in loops:
            text = ast.unparse(over)
            if "to_pylist()" in text and not any(word in text for word in DISTINCT):
                yield over.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ROW_CALLS:
            yield node.lineno


def test_no_loop_over_single_queries_on_the_hot_path() -> None:
    visits = {
        name_of(path): lines
        for path in python_files("detector/ingest", "detector/store", "detector/features")
        if (lines := list(rows_visited(path)))
    }
    assert {name: lines for name, lines in visits.items() if name not in ROW_LOOPS} == {}
    assert set(ROW_LOOPS) <= set(visits), "an exception that is no longer needed"


@pytest.mark.parametrize(
    ("code", "visited"),
    [
        ("for x in column.to_pylist(): pass", [1]),
        ("[x for x in enumerate(table['a'].to_pylist())]", [1]),
        ("for x in encoded.dictionary.to_pylist(): pass", []),
        ("cursor.executemany(sql, rows)", [1]),
        ("for x in range(3): pass", []),
    ],
)
def test_loops_over_rows_are_recognised(tmp_path: Path, code: str, visited: list[int]) -> None:
    (tmp_path / "one.py").write_text(code)
    assert list(rows_visited(tmp_path / "one.py")) == visited
