from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The attacked site is made once for the tests of evidence, report and browser alike.
sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))

from evidence_making import AttackedSite, attacked_site

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def recorded_site(tmp_path_factory: pytest.TempPathFactory) -> AttackedSite:
    """A site with an attack in its store; not to be changed."""
    return attacked_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def site(recorded_site: AttackedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AttackedSite]:
    """A copy of that site, with its folder as the working folder: logs are named relative to it."""
    copy = recorded_site.copy(tmp_path / "site")
    monkeypatch.chdir(copy.folder)
    yield copy
    copy.store.close()
