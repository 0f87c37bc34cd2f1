"""Query-log forensics for machine-learning APIs."""

__version__ = "0.1.0"
