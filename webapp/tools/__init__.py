"""What pages share: the database session, forms, names, times, lists and errors."""
