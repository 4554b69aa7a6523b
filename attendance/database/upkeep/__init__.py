"""Keeping the database: copies, what is deleted when it is old, what is erased."""
