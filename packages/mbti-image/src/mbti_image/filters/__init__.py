"""Filters on images: what changes a picture before a model sees it."""
