"""Inputs that are sent instead of those that the attack meant to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.forms import InputForm

# A relative change of this size still shows in five significant digits.
_HAIR = 3e-4
_TRIES = 50


class Disguise:
    """Adds noise to inputs, and tells equal ones apart.

    The attack goes on as if the answers were those of the inputs that it meant: that is what the camouflage costs it.
    """

    def __init__(self, form: InputForm, jitter: float, rng: np.random.Generator, *, fresh: bool) -> None:
        self._form = form
        self._jitter = jitter
        self._fresh = fresh
        self._rng = rng
        self._free = np.array(form.levels) == 0
        self._span = np.where(self._free, form.high - form.low, 0.0)
        self._instead: dict[bytes, FloatArray] = {}
        self._seen: set[bytes] = set()

    def put_on(self, inputs: FloatArray) -> FloatArray:
        """Return what is sent instead of `inputs`, shape (n, width)."""
        noise = self._jitter * self._span * self._rng.standard_normal(inputs.shape)
        # Only what lay within the range is kept there: an attack that leaves it does so on purpose.
        low, high = np.minimum(self._form.low, inputs), np.maximum(self._form.high, inputs)
        sent = np.clip(inputs + noise, low, high)
        if self._fresh:
            sent = np.vstack([self._unlike_all_others(row) for row in sent])
        self._instead.update((meant.tobytes(), row) for meant, row in zip(inputs, sent, strict=True))
        return sent

    def sent_instead_of(self, meant: FloatArray) -> FloatArray:
        """Return what was last sent instead of the input `meant`, shape (width,); itself if it never was."""
        return self._instead.get(meant.tobytes(), meant)

    def _unlike_all_others(self, row: FloatArray) -> FloatArray:
        """Return `row`, moved by hairs until nothing equal has been sent; as it is if it holds no number to move."""
        changed = row
        for _ in range(_TRIES):
            key = self._form.clean(changed[None]).tobytes()
            if key not in self._seen:
                break
            signs = self._rng.choice([-1.0, 0.0, 1.0], size=row.shape)
            changed = np.clip(changed + _HAIR * self._span * signs, self._form.low, self._form.high)
        self._seen.add(self._form.clean(changed[None]).tobytes())
        return changed
