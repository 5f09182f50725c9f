"""Filters on texts: what changes a text before a model reads it."""
