"""What is usual for a model, and how far a window lies from it."""

from __future__ import annotations

import numpy as np
import pytest

from detector.detect.learned.usual import FEWEST_WINDOWS, Usual, beside


def _benign(windows: int = 101) -> np.ndarray:
    rows = np.zeros((windows, 3))
    rows[:, 0] = np.linspace(0.0, 1.0, windows)
    rows[:, 2] = np.nan
    return rows


def test_a_deviation_is_counted_in_spreads_from_the_middle() -> None:
    usual = Usual.of(_benign())
    told = beside(np.array([[1.0, 0.1, 0.5], [0.5, 0.0, np.nan], [0.25, 9.0, 1.0]]), usual)
    np.testing.assert_allclose(told[:, :3], [[1.0, 0.1, 0.5], [0.5, 0.0, np.nan], [0.25, 9.0, 1.0]])
    # The first varies by a half between its quartiles; the second not at all, and counts in the least spread.
    np.testing.assert_allclose(told[:, 3:], [[1.0, 5.0, np.nan], [0.0, 0.0, np.nan], [-0.5, 20.0, np.nan]])


def test_an_attack_among_the_benign_nights_moves_neither_middle_nor_spread() -> None:
    poisoned = _benign()
    poisoned[-5:, 0] = 1e9
    clean, dirty = Usual.of(_benign()), Usual.of(poisoned)
    assert clean is not None
    assert dirty is not None
    assert dirty.middle[0] == pytest.approx(clean.middle[0], abs=0.03)
    assert dirty.spread[0] == pytest.approx(clean.spread[0], abs=0.03)


def test_without_enough_benign_windows_nothing_is_usual() -> None:
    assert Usual.of(_benign(FEWEST_WINDOWS - 1)) is None
    told = beside(np.ones((2, 3)), None)
    assert told.shape == (2, 6)
    assert np.isnan(told[:, 3:]).all()
