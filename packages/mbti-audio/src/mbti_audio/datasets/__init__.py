"""Sounds: datasets."""
