"""A dashboard whose people sign in at the tests' own provider."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attendance.settings import Settings
from tests.webapp.account.oidc.hostile import CLIENT, SECRET, HostileProvider, running_provider
from tests.webapp.visiting import make_settings


@pytest.fixture
def provider() -> Iterator[HostileProvider]:
    """The provider, honest until a test changes it."""
    with running_provider() as made:
        yield made


@pytest.fixture
def oidc() -> dict[str, Any]:
    """Settings of the section beyond issuer and client; a module's own fixture of this name gives others."""
    return {}


@pytest.fixture
def sections() -> dict[str, dict[str, Any]]:
    """Other sections of the settings; the same."""
    return {}


@pytest.fixture
def site_settings(
    tmp_path: Path, migrated_file: Path, provider: HostileProvider, oidc: dict[str, Any], sections: dict[str, Any]
) -> Settings:
    """Of a site that knows the provider, which is on loopback."""
    web = {"address": "http://localhost", "private_addresses": "127.0.0.0/8", **sections.get("web", {})}
    known = {"issuer": provider.address, "client_id": CLIENT, "client_secret": SECRET, "name": "Example University"}
    return make_settings(tmp_path / "site", migrated_file, **{**sections, "web": web, "oidc": known | oidc})
