"""Filters on sounds: what changes a sound before a model hears it."""
