"""Identification on photos with known answers."""
