"""Benchmarks are scripts: their tests find the modules beside them as the scripts do."""

from __future__ import annotations

import sys
from pathlib import Path

_BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path += [str(_BENCHMARKS / "peers"), str(_BENCHMARKS)]
