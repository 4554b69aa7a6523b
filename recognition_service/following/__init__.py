"""Following: which faces of a frame must be encoded, and which go on where they were."""
