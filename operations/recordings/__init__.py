"""Recorded lectures in bulk: which videos, which class sessions, and how what they show comes into the registers."""
