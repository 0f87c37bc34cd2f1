"""Detectors that score a window against a frozen baseline."""

from detector.detect.anomaly.detectors import anomalies

__all__ = ["anomalies"]
