"""What the dashboard's pages and the register's changes cost with a term of data."""
