"""The pages of accounts: who may sign in, with which roles, and links to set a password."""

from webapp.admin.accounts import details, identities, links, roles, tokens

__all__ = ["details", "identities", "links", "roles", "tokens"]
