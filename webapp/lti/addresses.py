"""The addresses of this tool that platforms must know: what an administrator types there, or a registration says."""

from typing import Any

from flask import url_for

from webapp.tools.requests import site_address


def address_of(endpoint: str, **values: Any) -> str:
    """The whole address of a page, as it is reached from outside.

    Args:
        endpoint: e.g. "lti.launch".
        values: of the address's parameters.
    """
    return f"{site_address()}{url_for(endpoint, **values)}"


def launch_address() -> str:
    """Where platforms send their answers."""
    return address_of("lti.launch")


def choosing_address() -> str:
    """What a platform names where somebody chooses what a link opens (its `target_link_uri`)."""
    return address_of("lti.choose")


def all_addresses() -> dict[str, str]:
    """What an administrator types there."""
    return {
        "launch_url": launch_address(),
        "login_url": address_of("lti.login"),
        "keys_url": address_of("lti.published_keys"),
        "choosing_url": choosing_address(),
    }
