"""A small drill that the tests of the jobs run on: three nights, one real inversion in the third."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from detector.redteam.simulation import simulate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demonstration drill."""
    folder = tmp_path_factory.mktemp("drill")
    simulate(folder)
    return folder
