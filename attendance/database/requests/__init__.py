"""What students ask for and a person decides: entries that they call wrong, and photos that they propose."""
