"""Metrics, statistics, tables, the index of results, and the report."""
