"""Texts: attacks."""
