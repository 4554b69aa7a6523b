"""From faces to sightings: matching, tracks, and what confirms a student."""
