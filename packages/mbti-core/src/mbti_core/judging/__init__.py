"""Judging a model and data that somebody was given: the defenses without any ground truth."""
