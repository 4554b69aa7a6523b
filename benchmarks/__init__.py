"""Measurements: run as `python -m benchmarks.<name>`, or `make bench`."""
