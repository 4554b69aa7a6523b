"""The whole system on one machine, on a small class of real faces."""
