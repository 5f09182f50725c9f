"""Samples: columns, splits, keyed randomness, files and folders."""
