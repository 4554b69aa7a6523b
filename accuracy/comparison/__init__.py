"""Both families of models on the same photos, side by side."""
