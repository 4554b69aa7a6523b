"""What an operator does with a whole installation: examine it, and delete what has been kept long enough."""
