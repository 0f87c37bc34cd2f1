"""What is loaded ahead of its need is there, and what cannot be is left to the place that needs it."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from detector.detect.learned import forest
from detector.warming import JUDGING, REPORT, SCAN, warming

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 60.0


def _becomes_true(question: Callable[[], bool]) -> bool:
    until = monotonic() + _PATIENCE
    while not question() and monotonic() < until:
        sleep(0.01)
    return question()


@pytest.mark.parametrize("name", [*JUDGING, *SCAN, *REPORT])
def test_everything_that_is_loaded_ahead_exists(name: str) -> None:
    module, _, function = name.partition(":")
    loaded = importlib.import_module(module)
    assert not function or callable(getattr(loaded, function))


def test_the_trees_are_read_ahead() -> None:
    forest.shipped.cache_clear()
    with warming() as warm:
        warm("detector.detect.learned.forest:rehearse")
        assert _becomes_true(lambda: forest.shipped.cache_info().currsize == 1)


def test_what_cannot_be_loaded_ahead_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "detector.exits", raising=False)
    with warming() as warm:
        warm("no_such_module", "detector.exits")
        assert _becomes_true(lambda: "detector.exits" in sys.modules)


_ENDS_WHILE_LOADING = """
from detector.warming import warming

try:
    with warming() as warm:
        warm("detector.detect.learned.forest:rehearse", "detector.report.writer")
        raise ValueError("nothing to read")
except ValueError:
    pass
"""


def test_a_command_that_ends_while_modules_load_ends_in_silence() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", _ENDS_WHILE_LOADING], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_what_is_not_yet_loading_at_the_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "detector.exits", raising=False)
    began = threading.Event()
    monkeypatch.setattr(forest, "rehearse", lambda: (began.set(), sleep(0.2)))
    with warming() as warm:
        warm("detector.detect.learned.forest:rehearse", "detector.exits")
        assert began.wait(_PATIENCE)
    assert "detector.exits" not in sys.modules


def test_damaged_trees_are_left_to_the_place_that_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    forest.shipped.cache_clear()
    monkeypatch.setattr(forest, "_FILE", "words.py")
    forest.rehearse()
    assert forest.shipped.cache_info().currsize == 0
