"""Sounds: models."""
