"""What was seen, on its way to the shared database."""
