"""Noise that belongs to no modality."""
