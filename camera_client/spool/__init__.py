"""Frames on disk while the service is away: keeping them, choosing which to give up, sending them later."""
