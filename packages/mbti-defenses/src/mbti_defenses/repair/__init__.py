"""Repair: a new model from the one under suspicion."""
