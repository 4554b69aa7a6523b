"""Presentation attacks: photos and screens that are held before a camera, and what cannot be."""
