"""Texts: datasets."""
