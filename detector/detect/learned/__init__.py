"""What a window resembles, learned in the laboratory from real attacks and from benign workloads that look alike."""

from detector.detect.learned.covered import covered
from detector.detect.learned.judging import lowered, suspects
from detector.detect.learned.resemblance import Resemblance, resemblances

__all__ = ["Resemblance", "covered", "lowered", "resemblances", "suspects"]
