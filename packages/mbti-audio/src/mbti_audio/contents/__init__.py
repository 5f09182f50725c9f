"""The table of contents, by kind; imports no torch."""
