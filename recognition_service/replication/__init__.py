"""The index on several machines: given by the one that holds the store, and fetched by the others."""
