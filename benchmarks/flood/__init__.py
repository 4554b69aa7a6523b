"""What one hostile camera costs the others."""
