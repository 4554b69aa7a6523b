"""The administrator's pages of platforms and of their courses."""
