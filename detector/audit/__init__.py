"""Differential privacy: what the training declared, and what its confidences show to be no longer true."""
