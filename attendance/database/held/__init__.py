"""Sightings that are held: they change no entry until a person has accepted them."""
