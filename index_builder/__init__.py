"""Photos and pickle stores in, a versioned FAISS index out."""
