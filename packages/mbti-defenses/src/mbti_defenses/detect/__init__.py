"""Detectors: a score per sample of the training data."""
