"""Reading CSV, and the one rule of each field: for forms, imports and commands alike."""
