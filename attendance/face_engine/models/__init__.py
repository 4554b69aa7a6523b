"""The models' files: dlib's weights read, exported as graphs, quantised, and cached."""
