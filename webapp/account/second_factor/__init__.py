"""The second step of a sign-in: a code that an app makes, or a recovery code."""
