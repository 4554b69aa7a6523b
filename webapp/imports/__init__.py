"""CSV files into the database: reading, checking and writing, apart from the pages that ask for it."""
