"""Measurements: each prints a ratio to a named rival or limit."""
