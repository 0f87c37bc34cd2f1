"""What a window resembles, learned in the laboratory from real attacks and from benign workloads that look alike."""

from detector.detect.learned.judging import Resemblance, lowered, resemblances, suspects

__all__ = ["Resemblance", "lowered", "resemblances", "suspects"]
