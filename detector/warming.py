"""Loading heavy libraries while something else reads: importing takes a core that would otherwise wait."""

from __future__ import annotations

import importlib
import threading

JUDGING = ("detector.jobs.scan", "detector.features.kernels")
SCAN = ("scipy.special", "pyod.models.iforest", "pyod.models.hbos")
REPORT = ("detector.report.writer",)


def warm(*modules: str) -> threading.Thread:
    """Begin to import `modules` in the background; whoever needs one earlier simply waits for it.

    A module that cannot be imported is left alone: the place that needs it says so where it can be understood.
    """
    thread = threading.Thread(target=_load, args=(modules,), name="warming", daemon=True)
    thread.start()
    return thread


def _load(modules: tuple[str, ...]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            return
