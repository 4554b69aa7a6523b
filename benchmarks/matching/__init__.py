"""What enrolled students cost to search, from a thousand encodings to ten million."""
