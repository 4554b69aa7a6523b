"""Signing in at the institution's own provider, by OpenID Connect Core 1.0 with discovery, PKCE, state and nonce.

`provider` asks it and `tokens` judges what it says; `people` says who that is here; `signing_in`, `students` and
`signing_out` are what a browser and the provider call; `problems` tells a person what went wrong.
"""
