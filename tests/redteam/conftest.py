"""Drills, written once and read by many tests, and the models in them."""

from __future__ import annotations

import pytest
from drills import Drill, written

from detector.redteam.models import TargetModel, build
from detector.redteam.recorder import Service


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    return written(tmp_path_factory.mktemp("demo"), seed=11)


@pytest.fixture(scope="session")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    return written(tmp_path_factory.mktemp("drill"), scenario="drill", seed=5)


@pytest.fixture(scope="session")
def digits() -> TargetModel:
    return build("digits", 4)


@pytest.fixture(scope="session")
def clinic() -> TargetModel:
    return build("clinic", 4)


@pytest.fixture
def service(digits: TargetModel) -> Service:
    return Service(digits)
