"""Commands that run for hours over many recordings or photos, and what they share."""
