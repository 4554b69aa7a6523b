"""Accounts: who may sign in, passwords and the links that set them, tokens."""
