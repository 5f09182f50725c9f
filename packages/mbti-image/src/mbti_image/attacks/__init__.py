"""Attacks on images, one file each."""
