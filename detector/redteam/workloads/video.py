"""A camera, or a patient's monitor: each input is nearly the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.augmentation import shifted
from detector.redteam.workloads.regions import numeric
from detector.redteam.workloads.routine import log_uniform, own_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class Video:
    """Scenes of frames: each scene fades from one record to another, with sensor noise and, in images, a shaky hand."""

    family: ClassVar[str] = "benign_video"

    frames: int
    """Frames a visit, 1 or more."""
    scene: float = 60.0
    """Mean frames of a scene."""
    noise: float = 0.01
    """Standard deviation of the noise on a number, as a share of its range."""
    shake: float = 0.1
    """Share of frames, 0 to 1, in which the picture jumps by a pixel."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        del model
        return cls(
            frames=round(log_uniform(rng, 200, 2_500)),
            scene=log_uniform(rng, 15, 400),
            noise=float(rng.uniform(0.0, 0.03)),
            shake=float(rng.uniform(0.0, 0.4)),
        )

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        while True:
            scenes: list[FloatArray] = []
            left = self.frames
            while left > 0:
                length = min(left, int(rng.geometric(1 / self.scene)))
                scenes.append(self._scene(length, model, rng))
                left -= length
            yield np.vstack(scenes)

    def _scene(self, length: int, model: TargetModel, rng: np.random.Generator) -> FloatArray:
        """Return `length` frames from one record towards another, shape (length, width)."""
        numbers = numeric(model)
        before, after = own_sample(model, 2, rng)
        # A scene need not arrive: most end half-way.
        share = np.linspace(0.0, float(rng.uniform(0.2, 1.0)), length)[:, None]
        faded = (1 - share) * before + share * after
        frames = np.where(numbers, faded, np.where(share < rng.random(len(before)), before, after))
        if model.image_shape is not None:
            for at in np.flatnonzero(rng.random(length) < self.shake).tolist():
                down, right = rng.integers(-1, 2, size=2).tolist()
                frames[at] = shifted(frames[at], model.image_shape, down, right)
        span = (model.form.high - model.form.low) * numbers
        noisy = frames + self.noise * span * rng.standard_normal(frames.shape)
        return np.asarray(np.clip(noisy, model.form.low, model.form.high))
