"""From boxes to encodings: landmarks, aligned chips, and the networks that encode them."""
