"""Stages, hooks, store, training and command line of BackdoorMBTI."""
