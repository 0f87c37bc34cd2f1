"""Shapley values: two explainers of the library that everybody uses, and a third that it would compile for too long."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from detector.errors import SimulationError
from detector.redteam.workloads.routine import log_uniform, own_sample, shared_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Answer

Explainer = Literal["kernel", "sampling", "permutation"]
_EXPLAINERS: tuple[Explainer, ...] = ("kernel", "sampling", "permutation")


@dataclass(frozen=True, slots=True)
class Shapley:
    """Explain records with a model-agnostic explainer; those called kernel and sampling are the package shap's own.

    Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017 (kernel); Strumbelj and
    Kononenko, "Explaining Prediction Models and Individual Predictions with Feature Contributions", Knowledge and
    Information Systems 41(3), 2014 (sampling); Castro et al., "Polynomial Calculation of the Shapley Value Based on
    Sampling", Computers and Operations Research 36(5), 2009 (permutation, forward and backward).
    """

    family: ClassVar[str] = "benign_shap"

    records: int
    """Records explained in one visit, 1 or more."""
    samples: int = 100
    """Coalitions (kernel) or evaluations (others) for each record."""
    background: int = 4
    """Rows that stand for what is left out; the kernel explainer asks about every coalition with each."""
    explainer: Explainer = "kernel"

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        explainer = _EXPLAINERS[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
        width = len(model.form.low)
        background = int(rng.choice([1, 2, 5, 10] if explainer == "kernel" else [1, 2, 5]))
        # Below these numbers the explainers refuse, or see each column less than once.
        least = {"kernel": 30, "sampling": 2 * width, "permutation": 2 * width + 1}[explainer]
        samples = max(least, round(log_uniform(rng, 30, 300)))
        each = samples if explainer == "sampling" else samples * background
        return cls(shared_out(rng, each), samples, background, explainer)

    @property
    def budget(self) -> int:
        """See Dialogue."""
        return self.background + self.records * (1 + self.samples * self.background)

    def visit(self, ask: Callable[[FloatArray], Answer], model: TargetModel, rng: np.random.Generator) -> None:
        """See Dialogue."""
        rows = own_sample(model, self.records, rng)
        background = own_sample(model, self.background, rng)
        if self.explainer == "permutation":
            for row in rows:
                ask(_along_orders(row, background, self.samples, rng))
            return

        def answers(inputs: FloatArray) -> FloatArray:
            return ask(np.asarray(inputs, dtype=np.float64)).probabilities

        # What the library warns of, such as too few coalitions, is the client's problem and not ours.
        with warnings.catch_warnings(), _chance_of_the_library(int(rng.integers(2**32))):
            warnings.simplefilter("ignore")
            shap = _library()
            if self.explainer == "kernel":
                explainer = shap.KernelExplainer(answers, background)
                explainer.shap_values(rows, nsamples=self.samples, l1_reg=False, silent=True)
            else:
                shap.SamplingExplainer(answers, background).shap_values(rows, nsamples=self.samples, silent=True)


def _along_orders(row: FloatArray, background: FloatArray, samples: int, rng: np.random.Generator) -> FloatArray:
    """Return the inputs that explain `row`: columns join in a random order and leave in it, until `samples` are full.

    Every coalition is asked about with each of the `background` rows: shape (samples * backgrounds, width).
    """
    width = len(row)
    kept = np.zeros((samples, width), dtype=np.bool_)
    for begin in range(1, samples, 2 * width):
        order = rng.permutation(width)
        for step in range(min(2 * width, samples - begin)):
            kept[begin + step] = kept[begin + step - 1]
            kept[begin + step, order[step % width]] = step < width
    whole = np.where(kept[:, None, :], row, background[None])
    return np.asarray(whole.reshape(-1, width))


def _library() -> Any:  # noqa: ANN401 - the package has no types that would help here
    try:
        import shap
    except ImportError as error:
        raise SimulationError(
            "the workload benign_shap needs the package shap",
            expected="pip install 'inversion-detector[redteam]'",
        ) from error
    return shap


@contextmanager
def _chance_of_the_library(seed: int) -> Iterator[None]:
    """Let numpy's global generator, which shap draws from, start at `seed`, and put it back afterwards."""
    before = np.random.get_state()  # noqa: NPY002 - the library knows no other generator
    np.random.set_state(np.random.RandomState(seed).get_state())  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
