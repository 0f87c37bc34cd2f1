"""Findings in, incidents out: fingerprint, merge, severity, life cycle, suppressions."""
