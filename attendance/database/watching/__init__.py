"""What cameras watched, whether rooms are watched now, and whom cameras could know."""
