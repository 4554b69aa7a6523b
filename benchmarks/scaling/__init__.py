"""How many cameras a machine takes: arithmetic from what was measured, and a simulation of the hour's beginning."""
