"""A small program beside a camera: capture, JPEG, stream, survive."""
