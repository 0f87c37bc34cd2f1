"""Ask about each record several times, slightly changed, and average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.regions import numeric
from detector.redteam.workloads.routine import own_sample, shared_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class TestTimeAugmentation:
    """Send each record together with changed copies: shifted, bolder or noisy images, measurements taken again.

    Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012, for crops and
    reflections; Wang et al., "Aleatoric Uncertainty Estimation with Test-Time Augmentation", Neurocomputing 338, 2019.
    """

    family: ClassVar[str] = "benign_tta"

    records: int
    """Records a visit, 1 or more."""
    copies: int = 10
    """Changed copies of each."""
    noise: float = 0.03
    """Standard deviation of the noise on a number, as a share of its range."""
    shift: int = 1
    """Largest shift of an image in pixels; 0 for none."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        del model
        copies = int(rng.choice([4, 5, 8, 10, 16, 32, 64]))
        return cls(shared_out(rng, copies + 1), copies, float(rng.uniform(0.0, 0.08)), int(rng.integers(0, 3)))

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        while True:
            rows = own_sample(model, self.records, rng)
            yield np.vstack([np.vstack([row[None], self._changed(row, model, rng)]) for row in rows])

    def _changed(self, row: FloatArray, model: TargetModel, rng: np.random.Generator) -> FloatArray:
        copies = model.vary(np.repeat(row[None], self.copies, axis=0), rng)
        if model.image_shape is not None and self.shift:
            offsets = rng.integers(-self.shift, self.shift + 1, size=(self.copies, 2))
            copies = np.vstack(
                [
                    shifted(copy, model.image_shape, down, right)
                    for copy, (down, right) in zip(copies, offsets.tolist(), strict=True)
                ]
            )
        span = (model.form.high - model.form.low) * numeric(model)
        noisy = copies + self.noise * span * rng.standard_normal(copies.shape)
        return np.asarray(np.clip(noisy, model.form.low, model.form.high))


def shifted(row: FloatArray, shape: tuple[int, ...], down: int, right: int) -> FloatArray:
    """Return an image's `row` moved by whole pixels; what moves in repeats the edge."""
    image = row.reshape(shape)
    rows = np.clip(np.arange(shape[0]) - down, 0, shape[0] - 1)
    columns = np.clip(np.arange(shape[1]) - right, 0, shape[1] - 1)
    moved: FloatArray = image[rows][:, columns].ravel()
    return moved
