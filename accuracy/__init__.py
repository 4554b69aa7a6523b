"""How well faces are told apart: thresholds from the gallery, and evaluation on photos with known answers."""
