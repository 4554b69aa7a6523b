"""Thresholds from the gallery's own pairs."""
