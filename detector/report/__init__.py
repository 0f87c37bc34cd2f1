"""Incidents and evidence in, self-contained HTML out."""
