"""The cameras' open streams."""
