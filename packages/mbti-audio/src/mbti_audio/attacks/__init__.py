"""Sounds: attacks."""
