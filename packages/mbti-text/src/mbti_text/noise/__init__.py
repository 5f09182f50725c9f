"""Texts: noise."""
