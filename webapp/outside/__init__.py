"""Requests of the dashboard to addresses that people typed: a webhook's receiver, a calendar, an OpenID provider.

Whoever can type such an address could have the dashboard ask machines that only it can reach (server-side request
forgery): those of the university's inner networks, or the metadata of a cloud's machine. So the name is looked up once,
every address it has is judged (`addresses`), and the connection goes to the one that was judged (`calling`).
"""

from webapp.outside.addresses import OutsideAddressError, OutsideError, check_address
from webapp.outside.calling import OutsideCaller as Caller
from webapp.outside.calling import Reply, get, post

__all__ = ["Caller", "OutsideAddressError", "OutsideError", "Reply", "check_address", "get", "post"]
