"""Pages on which an institution and its courses name statuses of their own."""
