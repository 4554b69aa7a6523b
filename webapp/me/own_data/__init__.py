"""*My data*: every row that the database keeps of a student, as tables to download."""
