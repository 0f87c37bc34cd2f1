from __future__ import annotations

import importlib.util
import math

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from detector.audit.declared import declared_epsilon
from detector.config import Privacy
from detector.errors import AuditError


def _gaussian(sigma: float, delta: float) -> float:
    """The exact ε of one Gaussian release (Balle and Wang 2018)."""

    def excess(epsilon: float) -> float:
        left = norm.cdf(1 / (2 * sigma) - epsilon * sigma)
        return float(left - math.exp(epsilon) * norm.cdf(-1 / (2 * sigma) - epsilon * sigma)) - delta

    return float(brentq(excess, 0, 50))


def test_without_sampling_it_is_the_gaussian_mechanism() -> None:
    found = declared_epsilon(Privacy(noise_multiplier=4, sampling_rate=1, steps=10, delta=1e-5))
    exact = _gaussian(4 / math.sqrt(10), 1e-5)
    assert exact <= found.epsilon < exact + 0.01
    assert found.accountant == "privacy loss distributions"


def test_a_training_as_people_do_it() -> None:
    privacy = Privacy(noise_multiplier=1.1, sampling_rate=0.01, steps=1000, delta=1e-5)
    found = declared_epsilon(privacy)
    assert (found.privacy, round(found.epsilon, 2)) == (privacy, 1.52)
    longer = declared_epsilon(Privacy(noise_multiplier=1.1, sampling_rate=0.01, steps=2000, delta=1e-5))
    louder = declared_epsilon(Privacy(noise_multiplier=2.2, sampling_rate=0.01, steps=1000, delta=1e-5))
    assert louder.epsilon < found.epsilon < longer.epsilon


@pytest.mark.parametrize(("noise", "rate", "steps"), [(0.3, 0.1, 1000), (0.01, 1, 1000), (1e-6, 0.5, 10**9)])
def test_too_little_noise_promises_next_to_nothing_and_says_so_quietly(
    noise: float, rate: float, steps: int, capfd: pytest.CaptureFixture[str]
) -> None:
    found = declared_epsilon(Privacy(noise_multiplier=noise, sampling_rate=rate, steps=steps, delta=1e-5))
    assert found.epsilon > 60
    assert found.accountant == "Rényi divergences"
    assert capfd.readouterr() == ("", "")


def test_very_long_trainings_are_accounted_in_time() -> None:
    found = declared_epsilon(Privacy(noise_multiplier=1, sampling_rate=1e-7, steps=10**9, delta=1e-6))
    assert found.accountant == "Rényi divergences"
    assert 0.1 < found.epsilon < 0.5


def test_much_noise_is_not_negative() -> None:
    found = declared_epsilon(Privacy(noise_multiplier=1000, sampling_rate=0.001, steps=1, delta=0.5))
    assert found.epsilon == 0


def test_without_the_accountants_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(AuditError, match=r"inversion-detector\[audit\]"):
        declared_epsilon(Privacy(noise_multiplier=1.7, sampling_rate=0.01, steps=10, delta=1e-5))
