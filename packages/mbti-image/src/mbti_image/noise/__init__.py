"""Noises on images, one file each."""
