"""Sightings that are held, for every page that shows them: how many wait, why, and a person's answer."""
