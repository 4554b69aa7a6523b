"""Encodings and tables that others made: pickles of face_recognition users, CSV tables of photos."""
