"""dlib's CNN detector on an inference runtime: pyramid, tiles, decoding, refinement."""
