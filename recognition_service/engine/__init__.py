"""From compressed bytes to faces: decoding, batches, and the engine at work."""
