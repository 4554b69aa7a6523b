"""What people read of work that was done: names made printable, and HTML pages of one file."""
