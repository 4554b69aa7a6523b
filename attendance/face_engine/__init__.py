"""Pixels in, faces out: boxes, scores, landmarks, aligned chips and encodings. No network, no database."""
