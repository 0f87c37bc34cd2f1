"""Loading heavy libraries while something else reads: importing takes a core that would otherwise wait."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JUDGING = ("detector.jobs.scan", "detector.features.kernels", "detector.detect.learned.forest:rehearse")
SCAN = ("scipy.special", "pyod.models.iforest", "pyod.models.hbos")
REPORT = ("detector.report.writer",)


@contextmanager
def warming() -> Iterator[Callable[..., None]]:
    """Give what begins to import modules, one after the other, in the background; whoever needs one earlier waits.

    Of `module:function` the function is called too. What cannot be loaded is left alone: the place that needs it says
    so where it can be understood. At the end the one that is being loaded is waited for and the rest is left, so that
    nothing is still loading while the interpreter closes, where threads can no longer be started.
    """
    pool = ThreadPoolExecutor(1, "warming")

    def warm(*names: str) -> None:
        for name in names:
            pool.submit(_load, name)

    try:
        yield warm
    finally:
        pool.shutdown(cancel_futures=True)


def _load(name: str) -> None:
    module, _, function = name.partition(":")
    loaded = importlib.import_module(module)
    if function:
        getattr(loaded, function)()
