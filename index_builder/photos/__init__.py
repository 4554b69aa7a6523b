"""Photos: found, judged and compared."""
