"""The examination of a whole installation, part by part."""
