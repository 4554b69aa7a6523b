"""What the face engine does on an NVIDIA GPU: whether it decides the same, and where a frame's time goes."""
