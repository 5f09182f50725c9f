"""Inspection: what a model itself gives away of a backdoor."""
