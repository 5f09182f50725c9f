"""Sounds: noise."""
