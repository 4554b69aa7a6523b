"""The aiming view: what a camera sees, shown to an administrator while it is hung."""
