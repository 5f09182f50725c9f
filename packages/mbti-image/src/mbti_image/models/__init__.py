"""Image classifiers; each normalizes in its first layer."""
