"""Certificates: those of a trial, and those that are deployed, in use and on disk."""
